-- C26: remembers messages that were committed elsewhere. Whoever committed them is not known here.
-- ARGV: base, owner, window, limit, and for each message its digest and the end of its window

return run(function()
  tick()
  local done = name('done', ARGV[2])
  local newest = tonumber(call('HGET', done, '#') or 0)
  for i = 5, #ARGV, 2 do
    local ends = tonumber(ARGV[i + 1])
    local known = tonumber(string.match(call('HGET', done, ARGV[i]) or '', '^%d+') or 0)
    if ends > now and ends > known then
      -- Since when: its window says so.
      local since = text(math.max(ends - ARGV[3], 0) * 1000)
      newest = math.max(newest, ends)
      call('HSET', done, ARGV[i], text(ends) .. ' ' .. since .. ' -', '#', text(newest))
    end
  end
  if newest > 0 then
    forget(done, tonumber(ARGV[4]))
    call('PEXPIREAT', done, expiry_of(newest))
  end
  return {'OK'}
end)

-- Remembers messages that were committed in another store (C26). The claims that committed them are not
-- known here.

--- @include "lib/deadline"
--- @include "lib/messages"

return run(function()
  -- Behind them stands for each message its digest and the end of its window.
  local owner, window, limit = unpack(ARGV, 2, 4)
  local done = name('done', owner)
  local newest = tonumber(call('HGET', done, '#') or 0)
  for i = 5, #ARGV, 2 do
    local message, ends = ARGV[i], tonumber(ARGV[i + 1])
    local known = tonumber(string.match(call('HGET', done, message) or '', '^%d+') or 0)
    if ends > now and ends > known then
      local since = text(math.max(ends - window, 0) * 1000)
      newest = math.max(newest, ends)
      call('HSET', done, message, text(ends) .. ' ' .. since .. ' -', '#', text(newest))
    end
  end
  if newest > 0 then
    forget(done, tonumber(limit))
    call('PEXPIREAT', done, expiry_of(newest))
  end
  return {'OK'}
end)

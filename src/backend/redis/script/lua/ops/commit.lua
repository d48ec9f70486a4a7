-- ARGV: base, owner, session key, message, secret, window, limit,
-- and to park again: scope, scope as 1.2 hashed it, ttl, until when the deadline may be a later one or empty, payload

-- The field `#` is when the last message is forgotten: the expiry of the whole.
local function remember(done, newest)
  local ends = math.min(now + ARGV[6], 9007199254740991)
  newest = math.max(tonumber(newest or 0), ends)
  call('HSET', done, ARGV[4], text(ends) .. ' ' .. text(micros) .. ' ' .. ARGV[5], '#', text(newest))
  forget(done, tonumber(ARGV[7]))
  call('PEXPIREAT', done, expiry_of(newest))
end

return run(function()
  local owner, key, secret = ARGV[2], ARGV[3], ARGV[5]
  local done = name('done', owner)
  tick()
  local known = call('HMGET', done, ARGV[4], '#')
  local ends, by = string.match(known[1] or '', '^(%d+) %d+ (.*)$')
  if ends and tonumber(ends) > now then
    -- One message is committed once, also where it claimed two waits.
    return {by == secret and 'OK' or 'LOST'}
  end
  local head = load(key)
  if not head or head.owner ~= owner or head.secret ~= secret then
    return {'LOST'}
  end
  if ARGV[8] then
    if ARGV[11] ~= '' and now > tonumber(ARGV[11]) and deadline_of(ARGV[10]) > head.deadline then
      return {'LATE', text(micros)} -- its pointer may end earlier
    end
    -- The operation stays: a late repeat of the call that parked it first must not undo the commit.
    local scope, published = ARGV[8], ARGV[9]
    local next = newcomer(owner, key, scope, head.operation, ARGV[10], ARGV[12], stamp_of(head))
    local found = call('HMGET', name('route', owner), scope, '#')
    local holder = holder_of(owner, found[1], published, head)
    local answer = register(next, published, head, holder, found[2])
    if answer[1] ~= 'OK' then
      return answer
    end
  else
    purge(head)
  end
  remember(done, known[2])
  return {'OK', stamp_of(head)}
end)

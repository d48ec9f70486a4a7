-- Commits a message: the session waits again, or is removed, and the message is remembered (C16).

--- @include "lib/keys"
-- The arguments from `scope` on are missing if the session is to be removed. `extend_until` is the instant
-- until which the deadline may become a later one, empty for no limit.
local owner, key, message, secret, window, limit, scope, legacy_scope, ttl, extend_until, payload = unpack(ARGV, 2)
--- @include "fast/commit"
--- @include "lib/register"
--- @include "lib/messages"

-- `newest` is the field `#`: when the last message is forgotten, and the key expires.
local function remember(done, newest)
  local ends = math.min(now + window, 9007199254740991)
  newest = math.max(tonumber(newest or 0), ends)
  call('HSET', done, message, text(ends) .. ' ' .. text(micros) .. ' ' .. secret, '#', text(newest))
  forget(done, tonumber(limit))
  call('PEXPIREAT', done, expiry_of(newest))
end

return run(function()
  local done = name('done', owner)
  read_clock()
  local known = call('HMGET', done, message, '#')
  local ends, by = string.match(known[1] or '', '^(%d+) %d+ (.*)$')
  if ends and tonumber(ends) > now then
    -- A message is committed once, also if it claimed two waits.
    return {by == secret and 'OK' or 'LOST'}
  end
  local head = load(key)
  if not head or head.owner ~= owner or head.secret ~= secret then
    return {'LOST'}
  end
  if scope then
    if extend_until ~= '' and now > tonumber(extend_until) and deadline_of(ttl) > head.deadline then
      return {'LATE', text(micros)} -- its pointer may expire earlier
    end
    -- The operation stays: a late repeat of the call that parked the session must not undo the commit.
    local next = new_head(owner, key, scope, head.operation, ttl, payload, stamp_of(head))
    local found = call('HMGET', name('route', owner), scope, '#')
    local holder = holder_of(owner, found[1], legacy_scope, head)
    local answer = register(next, legacy_scope, head, holder, found[2])
    if answer[1] ~= 'OK' then
      return answer
    end
  else
    delete_session(head)
  end
  remember(done, known[2])
  return {'OK', stamp_of(head)}
end)

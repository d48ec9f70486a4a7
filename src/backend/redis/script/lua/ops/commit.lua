-- Commits a message: the session waits again, or is removed, and the message is remembered (C16).

--- @include "lib/keys"
-- The arguments from `scope` on are missing if the session is to be removed, or all but the reply are empty.
-- `scope` is empty for the scope where it waits. `extended` is what was found of the pointer after a refusal:
-- lib/reservation. `reply` is missing for none.
local owner, key, message, secret, window, limit, scope, legacy_scope, ttl, timeout, extended, payload, reply = unpack(ARGV, 2)
--- @include "fast/commit"
--- @include "lib/register"
--- @include "lib/hold"
--- @include "lib/messages"

return run(function()
  local done = name('done', owner)
  local known = call('HMGET', done, message, '#')
  local ends, by, replaced = read_message(done, known[1])
  local newest = read_newest(done, known[2])
  local is_done = ends and ends > now
  if is_done and by == secret then
    return {'OK'}
  end
  local head = load(key)
  if not head or head.owner ~= owner or head.secret ~= secret or head.message ~= message then
    return {'LOST'}
  end
  if is_done then
    -- A message is committed once, also if it claimed two waits: this claim ends.
    end_claim(head, secret)
    return {'LOST'}
  end
  if scope and payload ~= '' then
    ttl = ttl_over(ttl, head)
    if legacy_scope == '' then
      scope, legacy_scope = head.scope, nil
    end
    local deadline, refused = cover(head, deadline_of(ttl), extended)
    if refused then
      refused[4] = ttl_of_record(ttl)
      return refused
    end
    -- The operation stays: a late repeat of the call that parked the session must not undo the commit.
    local next = new_head(owner, key, scope, head.operation, deadline, ttl, payload, head.pointer, timeout)
    local place = look_at(owner, scope, legacy_scope, head)
    place.is_kept = is_closed(head) -- it has left its scope, so it displaces nothing
    local answer = register(next, legacy_scope, head, place)
    if answer[1] ~= 'OK' then
      return answer
    end
  else
    delete_session(head)
  end
  local added = {
    field = message, ends = math.min(now + window, $LATEST_DEADLINE), since = micros, by = secret, reply = reply,
    replaced = replaced,
  }
  remember(done, name('replies', owner), tonumber(limit), newest, {added})
  return {'OK', stamp_of(head)}
end)

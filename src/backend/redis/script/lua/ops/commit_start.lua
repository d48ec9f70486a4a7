-- Commits the message that started a flow: creates the session, which waits, or leaves nothing; and remembers
-- the message (C27).

--- @include "lib/keys"
-- The arguments from `scope` on are missing if the flow has ended, or all but the reply are empty. `scope` is
-- empty for the scope where the start was claimed. `reservation` is `!` if the session key is another owner's.
-- `reply` is missing for none.
local owner, key, message, secret, window, limit, start_scope, scope, legacy_scope, ttl, timeout, payload, reservation, reply = unpack(ARGV, 2)
--- @include "fast/commit_start"
--- @include "lib/register"
--- @include "lib/reservation"
--- @include "lib/messages"

return run(function()
  local done = name('done', owner)
  local known = call('HMGET', done, message, '#')
  local ends, by, replaced = read_message(done, known[1])
  local newest = read_newest(done, known[2])
  local is_done = ends and ends > now
  if is_done and by == secret then
    return {'DUPLICATE'}
  end
  local start = start_of(owner, start_scope, key, message)
  if not start or start.secret ~= secret then
    return {'LOST'}
  end
  if is_done then
    -- A message is committed once, also if it claimed two starts: this claim ends.
    release_start(start, secret)
    return {'LOST'}
  end
  if scope and payload ~= '' then
    if legacy_scope == '' then
      scope, legacy_scope = start_scope, nil
    end
    if reservation == '!' then
      return {'FOREIGN'}
    end
    local stored, deadline = load(key), deadline_of(ttl)
    local refused = refuse(stored, key, reservation, deadline)
    if refused then
      return refused
    end
    if stored then
      return {stored.owner == owner and 'EXISTS' or 'FOREIGN'}
    end
    local place = look_at(owner, scope, legacy_scope)
    if scope == start_scope then
      place.start = nil -- it is this one
    end
    local head = new_head(owner, key, scope, '-', deadline, ttl, payload, pointer_in(reservation), timeout)
    head.fencing = start.fencing
    local answer = register(head, legacy_scope, nil, place, start)
    if answer[1] ~= 'OK' then
      return answer
    end
  else
    local gone = {}
    unroute(start, gone)
    if #gone > 0 then
      write('DEL', unpack(gone))
    end
  end
  local forgotten = math.min(now + window, $LATEST_DEADLINE)
  local added = {
    field = message, ends = forgotten, since = micros, by = secret, reply = reply, replaced = replaced,
  }
  remember(done, name('replies', owner), tonumber(limit), newest, {added})
  return {'OK'}
end)

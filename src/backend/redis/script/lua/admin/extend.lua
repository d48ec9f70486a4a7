-- Gives a session a new deadline, and changes nothing else (C24).

--- @include "lib/delete_session"
--- @include "lib/reservation"

-- Changes the deadline of a wait in the owner's index.
local function reschedule(head, deadline)
  local route, expiry = name('route', head.owner), name('expiry', head.owner)
  local found = call('HMGET', route, head.scope, '#')
  if found[1] ~= entry_of(head) or not found[2] then
    return
  end
  local last, soonest, latest, count = header_numbers(route, found[2])
  local ends = math.max(latest, deadline)
  if deadline < latest and head.deadline >= latest then
    ends = math.max(deadline, latest_without(expiry, head.scope) or 0)
  end
  local index_last, index_soonest = text(last), text(math.min(soonest, deadline))
  local index_latest, index_count = text(ends), text(count)
  write('ZADD', expiry, text(deadline), head.scope)
  write('HSET', route, '#', $INDEX_TEXT)
  set_expiry(ends, route, expiry)
end

return run(function()
  local key, ttl, extended = unpack(ARGV, 2)
  local head = load(key)
  if not head then
    return {'NOT_FOUND'}
  end
  if is_legacy(head) and legacy().is_in_set(head) then
    -- The string that leads from its scope has a deadline of its own, and the scope is not known here.
    return {'LEGACY'}
  end
  local deadline, refused = cover(head, deadline_of(ttl), extended)
  if refused then
    return refused
  end
  local latest_created = has_flag(head, 'c') and call('GET', name('user', head.owner)) == head.key
  if head.scope ~= '-' then
    reschedule(head, deadline)
  end
  if latest_created then
    set_expiry(deadline, name('user', head.owner))
  end
  set_expiry(deadline, name('session', head.key))
  head.deadline = deadline
  write_record(head)
  return {'OK', deadline == NEVER and '0' or text(deadline)}
end)

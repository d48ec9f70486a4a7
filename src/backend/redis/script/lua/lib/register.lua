-- Registering a wait, for park and commit (C9).

--- @include "lib/start"

-- The head of a new session; `pointer` is what its record holds of its pointer, and `timeout` what is asked for.
local function new_head(owner, key, scope, operation, deadline, ttl, payload, pointer, timeout)
  return {
    key = key, owner = owner, payload = payload, revision = '1', created = text(now), deadline = deadline,
    ttl = ttl_of_record(ttl), flags = '-u', pointer = pointer, operation = operation, scope = scope, order = '0',
    since = '0', attempt = '0', timeout = timeout_of(timeout, ttl), secret = '-', message = '-', lease_until = 0, own_deadline = '0', fencing = '0',
    claimed_by = '-', released = '-',
  }
end

-- What is on a scope: `holder`, the session that waits; `closed`, one whose wait has closed; `start`, a start
-- claim; and the header of the index. `stored` is a session that was read already.
local function look_at(owner, scope, legacy_scope, stored)
  local found = call('HMGET', name('route', owner), scope, '#')
  local place = {start = start_in(owner, scope, found[1]), index_header = found[2]}
  if stored and found[1] == entry_of(stored) then
    stored.is_routed = true
    place.holder = not is_closed(stored) and stored or nil
  else
    place.holder, place.closed = waiting(owner, found[1], legacy_scope)
  end
  return place
end

-- Writes a session that waits. `head` is the session as it will be, `stored` as it is; `place` is what is on
-- the scope, and `started` the start claim that ends with it. Returns the new revision, or a refusal.
local function register(head, legacy_scope, stored, place, started)
  local holder, start, closed = place.holder, place.start, place.closed
  local displaced = holder and holder.key ~= head.key and holder or nil
  local busy = displaced and claimed_until(displaced) or 0
  if busy == 0 and start then
    busy = claimed_until(start)
  end
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  if displaced and place.is_kept then
    return {'SCOPE_TAKEN'}
  end
  local latest_created = false
  if stored then
    head.revision, head.created, head.fencing = text(stored.revision + 1), stored.created, stored.fencing
    if has_flag(stored, 'c') then
      head.flags = '-uc'
      latest_created = call('GET', name('user', stored.owner)) == stored.key
    end
  end
  local left = stored or started
  index_wait(head, place.index_header, left, displaced or start or closed or left and left.scope ~= '-')
  set_until(name('session', head.key), head.payload, head.deadline)
  write_record(head)
  if latest_created then
    set_expiry(head.deadline, name('user', head.owner))
  end
  if head.timeout ~= '-' then
    schedule(head)
  elseif stored and stored.timeout ~= '-' then
    unschedule(stored)
  end
  if displaced and not displaced.legacy then
    if displaced.timeout ~= '-' then
      unschedule(displaced)
    end
    make_idle(displaced)
    write_record(displaced)
  end
  if closed then
    leave_scope(closed)
    write_record(closed)
  end
  local old, other = is_legacy(stored) and stored, is_legacy(displaced) and displaced
  if old or other then
    legacy().remove_wait(head.owner, legacy_scope, (old or other).key, old and other and other.key)
  end
  return {'OK', head.revision}
end

-- Stores a session as it was in another store (C26).

--- @include "lib/start"
--- @include "lib/reservation"

local function value_or(value, default)
  return value ~= '' and value or text(default)
end

return run(function()
  -- `created`, `deadline` and `since` are empty for none, `ttl` is as the record has it; the last five are
  -- missing for a session that does not wait. `timeout` is a letter and an instant, and empty for none.
  local owner, key, flags, revision, created, deadline, ttl, fencing, if_absent, operation, payload, reservation,
    scope, order, since, attempt, timeout = unpack(ARGV, 2)
  local ends = tonumber(deadline) or NEVER
  if ends <= now then
    return {'EXPIRED'}
  end
  local stored = load(key)
  local refused = refuse(stored, key, reservation, ends)
  if refused then
    return refused
  end
  if stored and stored.owner ~= owner then
    return {'FOREIGN'}
  end
  if stored and stored.operation == operation then
    return {'OK'}
  end
  local is_kept_off = scope and string.byte(timeout) == 99 and tonumber(string.sub(timeout, 2)) <= now
  local routed = not is_kept_off and scope -- one that has closed takes no scope
  local entry = routed and call('HGET', name('route', owner), scope)
  local start, holder, closed = start_in(owner, scope, entry), nil, nil
  if routed then
    holder, closed = waiting(owner, entry, scope)
  end
  local displaced = holder and holder.key ~= key and holder or nil
  if if_absent == '1' and (stored or displaced) then
    return {'EXISTS'}
  end
  local busy = stored and claimed_until(stored) or 0
  if busy == 0 and displaced then
    busy = claimed_until(displaced)
  end
  if busy == 0 and start then
    busy = claimed_until(start)
  end
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  if stored then
    fencing = text(math.max(fencing, stored.fencing)) -- a number of an earlier claim is never given again
  end
  local head = {
    key = key, owner = owner, flags = flags, pointer = pointer_in(reservation), revision = revision,
    created = value_or(created, now), deadline = ends, ttl = ttl, fencing = fencing, operation = operation,
  }
  make_idle(head)
  if scope then
    head.scope, head.attempt, head.order, head.since = scope, attempt, order, value_or(since, now)
    head.timeout = timeout == '' and '-' or (is_kept_off and 'C' or string.sub(timeout, 1, 1)) .. string.sub(timeout, 2) .. ':0'
  end
  if routed then
    local index_header = call('HGET', name('route', owner), '#')
    index_wait(head, index_header, stored, displaced or stored or start or closed, order, head.since)
  elseif stored and stored.scope ~= '-' then
    local gone = {}
    unroute(stored, gone)
    if #gone > 0 then
      write('DEL', unpack(gone))
    end
  end
  set_until(name('session', key), payload, ends)
  write_record(head)
  local latest = call('GET', name('user', owner))
  if has_flag(head, 'c') then
    set_until(name('user', owner), key, ends)
  elseif latest == key then
    write('DEL', name('user', owner))
  end
  local old, other = is_legacy(stored) and stored, is_legacy(displaced) and displaced
  if old or other then
    legacy().remove_wait(owner, scope, (old or other).key, old and other and other.key)
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
  if closed and closed.key ~= key then
    leave_scope(closed)
    write_record(closed)
  end
  return {'OK'}
end)

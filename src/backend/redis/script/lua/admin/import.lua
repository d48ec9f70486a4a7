-- Stores a session as it was in another store (C26).

--- @include "lib/index"
--- @include "lib/reservation"

local function value_or(value, default)
  return value ~= '' and value or text(default)
end

return run(function()
  -- `created`, `deadline` and `since` are empty for none; the last four are missing for a session that does
  -- not wait.
  local owner, key, flags, revision, created, deadline, fencing, if_absent, operation, payload, reservation,
    scope, order, since, attempt = unpack(ARGV, 2)
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
  local holder = scope and waiting(owner, call('HGET', name('route', owner), scope), scope)
  local displaced = holder and holder.key ~= key and holder or nil
  if if_absent == '1' and (stored or displaced) then
    return {'EXISTS'}
  end
  for _, head in pairs({stored = stored, displaced = displaced}) do
    local busy = claimed_until(head)
    if busy > 0 then
      return {'CLAIMED', busy}
    end
  end
  local head = {
    key = key, owner = owner, flags = flags, pointer = pointer_in(reservation), revision = revision,
    created = value_or(created, now), deadline = ends, fencing = fencing, operation = operation,
  }
  make_idle(head)
  -- A wrong type must end the script before the first write.
  call('GET', name('user', owner))
  if is_legacy(displaced) then
    call('SCARD', legacy().set_of(owner))
    call('GET', legacy_route(owner, scope))
  end
  if stored then
    delete_session(stored, scope, true)
    index_changed = true
  end
  if is_legacy(displaced) then
    legacy().remove_wait(owner, displaced.key, scope)
  end
  if scope then
    local index_header = call('HGET', name('route', owner), '#')
    head.scope, head.attempt = scope, attempt
    index_wait(head, index_header, nil, displaced, order, value_or(since, now))
  end
  local until_deadline = ends ~= NEVER and {'PXAT', expiry_of(ends)} or {}
  call('SET', name('session', key), payload, unpack(until_deadline))
  write_record(head)
  if has_flag(head, 'c') then
    call('SET', name('user', owner), key, unpack(until_deadline))
  end
  if displaced and not displaced.legacy then
    make_idle(displaced)
    write_record(displaced)
  end
  return {'OK'}
end)

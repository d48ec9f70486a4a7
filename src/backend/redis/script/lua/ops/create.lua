-- Creates a session that does not wait.

--- @include "lib/delete_session"
--- @include "lib/reservation"

return run(function()
  local owner, key, flags, ttl, operation, payload, reservation = unpack(ARGV, 2)
  local session = name('session', key)
  local stored = call('EXISTS', session, name('meta', key)) > 0 and load(key) or nil
  local deadline = deadline_of(ttl)
  local refused = refuse(stored, key, reservation, deadline)
  if refused then
    return refused
  end
  if stored then
    if stored.owner ~= owner then
      return {'FOREIGN'}
    end
    return {stored.operation == operation and 'OK' or 'EXISTS'}
  end
  local head = {
    key = key, owner = owner, flags = flags, pointer = pointer_in(reservation), operation = operation,
    revision = '1', created = text(now), deadline = deadline, fencing = '0',
  }
  make_idle(head)
  -- With GET, SET fails if the key has another type.
  local until_deadline = head.deadline ~= NEVER and {'PXAT', expiry_of(head.deadline)} or {}
  if has_flag(head, 'c') then
    call('SET', name('user', owner), key, 'GET', unpack(until_deadline))
  end
  call('SET', session, payload, unpack(until_deadline))
  write_record(head)
  return {'OK'}
end)

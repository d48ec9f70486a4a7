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
    revision = '1', created = text(now), deadline = deadline, ttl = ttl_of_record(ttl), fencing = '0',
  }
  make_idle(head)
  if has_flag(head, 'c') then
    call('GET', name('user', owner)) -- a key of another type ends the script here
    set_until(name('user', owner), key, head.deadline)
  end
  set_until(session, payload, head.deadline)
  write_record(head)
  return {'OK'}
end)

-- Gives a claim a new lease.

--- @include "lib/hold"
--- @include "lib/start"

return run(function()
  -- The last two are missing for the claim of a wait.
  local owner, key, secret, lease, start_scope, message = unpack(ARGV, 2)
  if start_scope then
    local start = start_of(owner, start_scope, key, message)
    if not start or start.secret ~= secret then
      return {'LOST'}
    end
    lease_start(start, start, call('HGET', name('route', owner), '#'), lease)
    return {'OK', text(start.lease_until)}
  end
  local head = load(key)
  if not head or head.owner ~= owner or head.secret ~= secret then
    return {'LOST'}
  end
  local is_sooner = now + lease < head.lease_until
  set_lease(head, now + lease, own_deadline_of(head))
  if is_sooner and head.timeout ~= '-' then
    schedule(head)
  end
  write_record(head)
  -- The caller confirms the pointer, if there is one.
  return {'OK', text(head.lease_until), stamp_of(head) ~= '' and pack_record(head) or nil}
end)

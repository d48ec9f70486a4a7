-- Gives a claim a new lease.

--- @include "lib/hold"

return run(function()
  local owner, key, secret, lease = unpack(ARGV, 2)
  local head = load(key)
  if not head or head.owner ~= owner or head.secret ~= secret then
    return {'LOST'}
  end
  set_lease(head, now + lease, own_deadline_of(head))
  write_record(head)
  -- The caller confirms the pointer, if there is one.
  return {'OK', text(head.lease_until), stamp_of(head) ~= '' and pack_record(head) or nil}
end)

-- Gives a claim a new lease.

--- @include "lib/delete_session"

return run(function()
  local owner, key, secret, lease = unpack(ARGV, 2)
  local head = load(key)
  if not head or head.owner ~= owner or head.secret ~= secret then
    return {'LOST'}
  end
  head.lease_until = now + lease
  write_record(head)
  return {'OK', text(head.lease_until)}
end)

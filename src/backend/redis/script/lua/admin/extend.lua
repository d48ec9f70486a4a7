-- Gives a session a new deadline, and changes nothing else (C24).

--- @include "lib/hold"
--- @include "lib/load_within"
--- @include "lib/reservation"

return run(function()
  local key, fence, ttl, extended = unpack(ARGV, 2)
  local head = load_within(fence, key)
  if not head then
    return {'NOT_FOUND'}
  end
  if is_legacy(head) and legacy().is_in_set(head) then
    -- The string that leads from its scope has a deadline of its own, and the scope is not known here.
    return {'LEGACY'}
  end
  ttl = ttl_over(ttl, head)
  local deadline, refused = cover(head, deadline_of(ttl), extended)
  if refused then
    refused[4] = ttl_of_record(ttl)
    return refused
  end
  if head.secret == '-' then
    move_deadline(head, deadline)
  else
    set_lease(head, head.lease_until, deadline)
  end
  if head.timeout ~= '-' then
    schedule(head)
  end
  write_record(head)
  return {'OK', head.deadline == NEVER and '0' or text(head.deadline)}
end)

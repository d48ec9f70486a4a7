-- Sets, moves or takes away the timeout of a wait (C32).

--- @include "lib/hold"
--- @include "lib/load_within"

return run(function()
  -- `timeout` is a letter and the time from now, and empty for none.
  local key, fence, timeout = unpack(ARGV, 2)
  local head = load_within(fence, key)
  if not head then
    return {'NOT_FOUND'}
  end
  local busy = claimed_until(head)
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  if head.scope == '-' or is_closed(head) then
    return {'NOT_WAITING'}
  end
  local had = head.timeout
  head.timeout = timeout_of(timeout, head.deadline == NEVER and '' or text(head.deadline - now))
  -- The lease has ended, so that the deadline is the session's own.
  head.secret, head.message, head.lease_until, head.own_deadline, head.claimed_by = '-', '-', 0, '0', '-'
  if head.timeout ~= '-' then
    schedule(head)
  elseif had ~= '-' then
    unschedule(head)
  end
  write_record(head)
  return {'OK', string.match(head.timeout, '[0-9]+')}
end)

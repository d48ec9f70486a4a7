-- Ends a claim without its token (C25).

--- @include "lib/hold"
--- @include "lib/load_within"

return run(function()
  local key, fence, operation = unpack(ARGV, 2)
  local head = load_within(fence, key)
  if not head then
    return {'NOT_FOUND'}
  end
  -- A repeat must not end a claim that was made since: the operation is stored where a released secret is.
  if head.secret == '-' or head.released == operation then
    return {'NOT_CLAIMED'}
  end
  local ends = head.lease_until
  end_claim(head, operation)
  return {'OK', text(ends), head.attempt}
end)

-- Removes a session.

--- @include "lib/delete_session"
--- @include "lib/load_within"

return run(function()
  -- The revision is empty if it is not to be checked.
  local key, fence, revision, first_sent = unpack(ARGV, 2)
  local head = load_within(fence, key)
  if not head then
    return {'NOT_FOUND'}
  end
  local busy = claimed_until(head)
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  if revision ~= '' and revision ~= head.revision then
    return {'REVISION_CONFLICT', head.revision}
  end
  if is_newer(head, first_sent) then
    return {'NEWER'}
  end
  delete_session(head)
  return {'OK', stamp_of(head)}
end)

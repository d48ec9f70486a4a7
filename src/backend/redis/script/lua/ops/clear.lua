-- Removes the session that waits on a scope.

--- @include "lib/keys"
local owner, scope, legacy_scope, first_sent = unpack(ARGV, 2)
--- @include "fast/clear"
--- @include "lib/delete_session"

return run(function()
  local entry = call('HGET', name('route', owner), scope)
  local head = waiting(owner, entry, legacy_scope)
  if not head then
    return {'NO_WAIT'}
  end
  local busy = claimed_until(head)
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  if is_newer(head, first_sent) then
    return {'NEWER'}
  end
  delete_session(head, legacy_scope)
  return {'OK', head.key, stamp_of(head)}
end)

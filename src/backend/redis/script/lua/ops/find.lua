-- Finds the session that waits on a scope.

--- @include "lib/keys"
local owner, scope, legacy_scope = unpack(ARGV, 2)
--- @include "fast/find"
--- @include "lib/load"

return run(function()
  local entry = call('HGET', name('route', owner), scope)
  local head = waiting(owner, entry, legacy_scope)
  return head and {'OK', head.key} or {'NONE'}
end)

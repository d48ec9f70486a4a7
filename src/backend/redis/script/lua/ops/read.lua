-- Reads a session and its record.

--- @include "lib/keys"
local key, fence = unpack(ARGV, 2)
--- @include "fast/read"
--- @include "lib/load"
--- @include "lib/load_within"

return run(function()
  local head = load_within(fence, key, true)
  return head and {'OK', head.key, head.payload, pack_record(head)} or {'NONE'}
end)

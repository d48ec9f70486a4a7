-- Reads a session and its record.

--- @include "lib/keys"
local key = unpack(ARGV, 2)
--- @include "fast/read"
--- @include "lib/load"

return run(function()
  local head = load(key, true)
  return head and {'OK', head.key, head.payload, pack_record(head)} or {'NONE'}
end)

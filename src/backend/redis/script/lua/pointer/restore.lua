-- Writes the pointer of a session that has none, or extends it.

--- @include "pointer/pointer"

local expected, new_stamp, life = unpack(ARGV) -- `life` is the least lifetime of the pointer

if owner and owner ~= expected then
  return {'OTHER'}
end
local ends = math.max(end_of(life), millis() + 1)
write_pointer(stamp or new_stamp, expected, owner and math.max(ends, expires_at()) or ends, 0)
return {'OK'}

-- Writes the pointer of a session that has none, or extends it.

--- @include "pointer/pointer"

local expected_owner, new_stamp, ttl = unpack(ARGV) -- `ttl` is the least TTL of the pointer

if owner and owner ~= expected_owner then
  return {'OTHER'}
end
local ends = math.max(end_of(ttl), millis() + 1)
write_pointer(stamp or new_stamp, expected_owner, owner and math.max(ends, expires_at()) or ends, 0)
return {'OK'}

-- Deletes a pointer that has not changed its owner or its stamp.

--- @include "pointer/pointer"

local expected_owner, expected_stamp = unpack(ARGV)

if owner ~= expected_owner or stamp ~= expected_stamp then
  return {'GONE'}
end
redis.call('DEL', pointer)
return {'OK'}

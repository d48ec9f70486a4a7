-- Reads a pointer for a check: owner, stamp, the TTL that is left or -1, and its age, in milliseconds.

--- @include "pointer/pointer"

if not owner then
  return {'GONE'}
end
return {'OK', owner, stamp, redis.call('PTTL', pointer), math.max(math.floor((micros - stamp) / 1000), 0)}

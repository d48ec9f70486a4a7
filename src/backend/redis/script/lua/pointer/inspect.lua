-- Reads a pointer for a check: owner, stamp, the TTL that is left or -1, and the time since the last
-- announcement.

--- @include "pointer/pointer"

if not owner then
  return {redis.call('EXISTS', pointer) == 1 and 'UNREADABLE' or 'GONE'}
end
return {'OK', owner, stamp, redis.call('PTTL', pointer), math.max(math.floor((micros() - awaited) / 1000), 0)}

-- Reserves a session key for an owner: finds the owner's pointer, or creates one. It then lives as long as
-- asked, or longer. Answers the stamp, the end (0 for none) and the instant from
-- which the lifetime counts, in milliseconds.

--- @include "pointer/pointer"

-- `life` is the least lifetime of the pointer, empty without an end. A pointer with the stamp `replaced` is
-- replaced; it is empty for none. `above` is a stamp or an instant of another node, in microseconds: a new
-- stamp is above it, and the lifetime counts from it if our clock is behind.
local new_owner, life, replaced, above = unpack(ARGV)

local stays = owner and stamp ~= replaced
if stays and owner ~= new_owner then
  return {'OTHER', stamp, owner}
end
local new_stamp = stays and stamp or string.format('%.0f', math.max(micros, (stamp or 0) + 1, above + 1))
local from = math.floor(math.max(micros, above) / 1000)
local ends = life ~= '' and from + life or math.huge
if owner == new_owner then
  local left = redis.call('PTTL', pointer)
  ends = left < 0 and math.huge or math.max(ends, now + left)
end
local value, answer = new_stamp .. ' ' .. new_owner, '0'
if ends <= $LATEST_DEADLINE then
  answer = string.format('%.0f', ends)
  redis.call('SET', pointer, value, 'PXAT', answer)
else
  redis.call('SET', pointer, value)
end
return {stays and 'EXISTING' or 'CREATED', new_stamp, answer, string.format('%.0f', from)}

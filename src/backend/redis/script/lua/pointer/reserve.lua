-- Reserves a session key for an owner: finds the owner's pointer, or creates one. Answers also whether the
-- pointer may live longer than asked, and the time.

--- @include "pointer/pointer"

-- `ttl` is the least TTL of the pointer. A pointer with the stamp `replaced` is replaced; it is empty
-- for none. A new stamp is above `above`.
local new_owner, ttl, replaced, above = unpack(ARGV)

local stays = owner and stamp ~= replaced
if stays and owner ~= new_owner then
  return {'OTHER', stamp, owner}
end
local asked = math.max(end_of(ttl), millis() + 1)
local ends = owner == new_owner and math.max(asked, expires_at()) or asked
local new_stamp = stays and stamp or string.format('%.0f', math.max(micros(), (stamp or 0) + 1, above + 1))
if owner ~= new_owner then
  awaited = nil -- an announcement of another owner's call
end
local outlives = ends > asked or is_held()
write_pointer(new_stamp, new_owner, ends, 0)
return {stays and 'EXISTING' or 'CREATED', new_stamp, outlives and 1 or 0, string.format('%.0f', micros())}

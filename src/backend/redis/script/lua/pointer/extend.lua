-- Extends the lifetime of a pointer, before a call gives the session another deadline or a claim's commit
-- may. Answers whether the pointer may live longer than asked, or a claim holds it; then `awaited`, the time
-- and the stamp.

--- @include "pointer/pointer"

-- `expected` is the owner, empty for any; `life` the least lifetime of the pointer; for `hold` milliseconds a
-- claim's commit may come.
local expected, life, hold = unpack(ARGV)

if not owner or (expected ~= '' and owner ~= expected) then
  return {'GONE'}
end
local asked = math.max(end_of(life), millis() + 1)
local ends = math.max(asked, expires_at())
local outlives = ends > asked or hold == '0' and is_held()
return {'OK', owner, outlives and 1 or 0, write_pointer(stamp, owner, ends, hold), string.format('%.0f', micros()), stamp}

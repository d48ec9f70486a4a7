-- Extends the TTL of a pointer, before a call gives the session another deadline or a claim's commit
-- may. Answers whether the pointer may live longer than asked, or a claim holds it; then `awaited`, the time
-- and the stamp.

--- @include "pointer/pointer"

-- `expected_owner` is empty for any owner; `ttl` is the least TTL of the pointer. In `lease` milliseconds from
-- now a claim's commit may come; 0 for none.
local expected_owner, ttl, lease = unpack(ARGV)

if not owner or (expected_owner ~= '' and owner ~= expected_owner) then
  return {'GONE'}
end
local asked = math.max(end_of(ttl), millis() + 1)
local ends = math.max(asked, expires_at())
local outlives = ends > asked or lease == '0' and is_held()
return {'OK', owner, outlives and 1 or 0, write_pointer(stamp, owner, ends, lease), string.format('%.0f', micros()), stamp}

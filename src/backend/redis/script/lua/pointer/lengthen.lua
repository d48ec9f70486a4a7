-- Before a call gives the session another deadline, or a claim's commit may. ARGV: owner or empty for
-- whoever it is, how long the pointer lives at least, for how long the commit may come or 0. Tells whether
-- the pointer may live longer than was asked for, or than a claim that is under way leaves its session, what
-- it tells as `awaited`, when that was, and its stamp.

if not owner or (ARGV[1] ~= '' and owner ~= ARGV[1]) then
  return {'GONE'}
end
local asked = math.max(end_of(ARGV[2]), millis() + 1)
local ends = math.max(asked, ending())
local outlives = ends > asked or ARGV[3] == '0' and is_held()
return {'OK', owner, outlives and 1 or 0, await(stamp, owner, ends, ARGV[3]), string.format('%.0f', micros()), stamp}

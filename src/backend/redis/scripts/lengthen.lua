-- Before a call gives the session another deadline. ARGV: owner or empty for whoever it is, how long
-- the pointer lives at least

if not owner or (ARGV[1] ~= '' and owner ~= ARGV[1]) then
  return {'GONE'}
end
local asked = math.max(end_of(ARGV[2]), millis() + 1)
local ends = math.max(asked, ending())
await(stamp, owner, ends)
return {'OK', owner, ends > asked and 1 or 0}

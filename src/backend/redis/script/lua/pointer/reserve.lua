-- ARGV: owner, how long the pointer lives at least, the stamp of one to replace or empty, a stamp that a
-- new one is above

local stays = owner and stamp ~= ARGV[3]
if stays and owner ~= ARGV[1] then
  return {'OTHER', stamp, owner}
end
local asked = math.max(end_of(ARGV[2]), millis() + 1)
local ends = owner == ARGV[1] and math.max(asked, ending()) or asked
local fresh = stays and stamp or string.format('%.0f', math.max(micros(), (stamp or 0) + 1, ARGV[4] + 1))
if owner ~= ARGV[1] then
  awaited = nil -- what another owner's calls told
end
local outlives = ends > asked or is_held()
await(fresh, ARGV[1], ends, 0)
return {stays and 'FOUND' or 'WRITTEN', fresh, outlives and 1 or 0, string.format('%.0f', micros())}

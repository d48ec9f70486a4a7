-- Writes the pointer of a session that has none. ARGV: owner, stamp, how long it lives at least

if owner and owner ~= ARGV[1] then
  return {'OTHER'}
end
local ends = math.max(end_of(ARGV[3]), millis() + 1)
await(stamp or ARGV[2], ARGV[1], owner and math.max(ends, ending()) or ends, 0)
return {'OK'}

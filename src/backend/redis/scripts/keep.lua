-- Gives the pointer the lifetime that its session was seen to have; a shorter one only if no call can be
-- about to write the session. ARGV: owner, stamp, how long it lives, how long no call was to write

if owner ~= ARGV[1] or stamp ~= ARGV[2] then
  return {'GONE'}
end
local ends = end_of(ARGV[3])
if ends < ending() and (micros() - awaited) / 1000 < tonumber(ARGV[4]) then
  return {'YOUNG'}
end
if ends == NEVER then
  redis.call('PERSIST', pointer)
else
  redis.call('PEXPIREAT', pointer, string.format('%.0f', ends))
end
return {'OK'}

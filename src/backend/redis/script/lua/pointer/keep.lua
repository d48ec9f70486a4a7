-- Gives the pointer the lifetime that its session was seen to have; a shorter one only if no call can be
-- about to write the session. ARGV: owner, stamp, how long it lives, how long no call was to write, the
-- instant that a claim left which is over or empty. Tells how long to wait.

if owner ~= ARGV[1] or stamp ~= ARGV[2] then
  return {'GONE'}
end
local ends = end_of(ARGV[3])
local is_over = awaited == ARGV[5]
local wait = ARGV[4] - math.floor((micros() - awaited) / 1000)
if ends < ending() and not is_over and wait > 0 then
  return {'YOUNG', wait}
end
if is_over then
  redis.call('SET', pointer, string.format('%s %.0f %s', stamp, micros(), owner), 'KEEPTTL')
end
if ends == NEVER then
  redis.call('PERSIST', pointer)
else
  redis.call('PEXPIREAT', pointer, string.format('%.0f', ends))
end
return {'OK'}

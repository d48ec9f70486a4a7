-- Whose turn it is to sweep the pointers, on a Cluster: takes it, keeps it for longer, or gives it back. A
-- repeat finds what it did. ARGV: who asks, for how long or empty to give it back

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {'OTHER'}
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return {'OK'}

-- Whose turn it is to sweep the pointers, on a Cluster: takes it, or has it last for longer or shorter. A repeat
-- finds what it did. ARGV: who asks, for how long

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {'OTHER'}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {'OK'}

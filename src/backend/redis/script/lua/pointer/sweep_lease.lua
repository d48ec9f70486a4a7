-- The lease of the sweep of the pointers, on a Cluster: takes it, or changes the time that it has left. A
-- repeat has the same answer.

local token, time = unpack(ARGV)

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= token then
  return {'OTHER'}
end
redis.call('SET', KEYS[1], token, 'PX', time)
return {'OK'}

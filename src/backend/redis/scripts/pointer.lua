-- The pointer of a session key, on a Cluster: `stamp owner`. The stamp is the instant at which it was
-- written, in microseconds; sessions bear the stamp of their pointer. docs/redis-layout.md tells more.

local pointer = KEYS[1]
local stamp, owner = string.match(redis.call('GET', pointer) or '', '^(%d+) (.*)$')

local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

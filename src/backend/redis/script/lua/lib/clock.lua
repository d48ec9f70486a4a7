-- The time of the server.

local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2] -- microseconds since the epoch
local now = math.floor(micros / 1000) -- milliseconds since the epoch

-- Gives the pointer the TTL that its session was seen to have. It is shortened only if no call can be
-- about to write the session; otherwise the answer is how long to wait.

--- @include "pointer/pointer"

-- For `quiet_period` milliseconds there must have been no announcement. `ended` is the value of `awaited` that an
-- ended claim left, or empty: it is no announcement.
local expected_owner, expected_stamp, ttl, quiet_period, ended = unpack(ARGV)

if owner ~= expected_owner or stamp ~= expected_stamp then
  return {'GONE'}
end
local ends = end_of(ttl)
local is_ended = awaited == ended
local wait = quiet_period - math.floor((micros() - awaited) / 1000)
if ends < expires_at() and not is_ended and wait > 0 then
  return {'WAIT', wait}
end
if is_ended then
  redis.call('SET', pointer, string.format('%s %.0f %s', stamp, micros(), owner), 'KEEPTTL')
end
if ends == NEVER then
  redis.call('PERSIST', pointer)
else
  redis.call('PEXPIREAT', pointer, string.format('%.0f', ends))
end
return {'OK'}

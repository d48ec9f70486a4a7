-- The pointer of a session key, on a Cluster: `stamp awaited owner`. The stamp is the instant at which the
-- pointer was created, in microseconds; the session has it too. `awaited` is the instant at which a call
-- last announced that it will write the session, or the end of the lease in which a claim's commit may.
-- docs/redis-layout.md describes the key.

local pointer = KEYS[1]
local stamp, awaited, owner = string.match(redis.call('GET', pointer) or '', '^(%d+) (%d+) (.*)$')
local NEVER = math.huge

local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function millis()
  return math.floor(micros() / 1000)
end

-- The instant at which a TTL in milliseconds ends; an empty TTL has no end.
local function end_of(ttl)
  local ends = ttl ~= '' and millis() + ttl or NEVER
  return ends < 9007199254740992 and ends or NEVER
end

-- The instant at which the pointer expires.
local function expires_at()
  local left = redis.call('PTTL', pointer)
  return left == -1 and NEVER or millis() + left
end

-- Whether a claim's commit may write the session without an announcement.
local function is_held()
  return awaited ~= nil and tonumber(awaited) > micros()
end

-- Writes the pointer for a call that is about to write the session, or may do so for `lease` milliseconds.
-- `awaited` grows with each call: if it is unchanged, there was no other call.
local function write_pointer(new_stamp, new_owner, ends, lease)
  local instant = string.format('%.0f', math.max(micros() + lease * 1000, (awaited or 0) + 1))
  local value = new_stamp .. ' ' .. instant .. ' ' .. new_owner
  if ends == NEVER then
    redis.call('SET', pointer, value)
  else
    redis.call('SET', pointer, value, 'PXAT', string.format('%.0f', ends))
  end
  return instant
end

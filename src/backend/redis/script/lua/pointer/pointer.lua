-- The pointer of a session key, on a Cluster: `stamp awaited owner`. The stamp is the instant at which
-- it was written, in microseconds; sessions bear the stamp of their pointer. `awaited` is when a call
-- last told that it is about to write the session, or the end of the lease in which a claim's commit
-- will. docs/redis-layout.md tells more.

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

-- The end of a life in milliseconds, or of one for ever (empty).
local function end_of(life)
  local ends = life ~= '' and millis() + life or NEVER
  return ends < 9007199254740992 and ends or NEVER
end

-- When the pointer ends.
local function ending()
  local left = redis.call('PTTL', pointer)
  return left == -1 and NEVER or millis() + left
end

-- Whether a claim's commit may come that tells nothing before.
local function is_held()
  return awaited ~= nil and tonumber(awaited) > micros()
end

-- Writes the pointer for a call that is about to write the session, or may be for `hold` milliseconds. The
-- instant grows with each call: it is still the one that a call was told only if no other came since.
local function await(fresh, whose, ends, hold)
  local instant = string.format('%.0f', math.max(micros() + hold * 1000, (awaited or 0) + 1))
  local value = fresh .. ' ' .. instant .. ' ' .. whose
  if ends == NEVER then
    redis.call('SET', pointer, value)
  else
    redis.call('SET', pointer, value, 'PXAT', string.format('%.0f', ends))
  end
  return instant
end

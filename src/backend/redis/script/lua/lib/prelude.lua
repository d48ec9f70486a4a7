-- What every script is built on: commands and time.
--
-- All reads and checks of a script come before its first write, so that a script that is refused
-- has changed nothing. A script makes its functions anew each time that it runs: so it is put together
-- from no more pieces than it needs, and what few calls need is made when one does.

local function unreadable(key, reason)
  error({'UNREADABLE', key, reason})
end

-- Runs a command on a key. An error ends the script: main() below is run by pcall.
local function call(command, key, ...)
  local reply = perform(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE', 1, true) then
      unreadable(key, 'its type is wrong')
    end
    error(reply)
  end
  return reply
end

local NEVER = math.huge

local texts = {} -- a script writes the same few instants again and again

-- A number in full; .. would cut it to 14 digits.
local function text(number)
  local known = texts[number]
  if not known then
    known = number == NEVER and 'inf' or string.format('%.0f', number)
    texts[number] = known
  end
  return known
end

local now, micros -- milliseconds and microseconds since the epoch

local function tick()
  local time = redis.call('TIME')
  micros = time[1] * 1000000 + time[2]
  now = math.floor(micros / 1000)
end

-- When a key expires by itself: -1 never, -2 there is none. Redis 6 does not know PEXPIRETIME.
local function expires_at(key)
  local at = redis.pcall('PEXPIRETIME', key)
  if type(at) == 'number' then
    return at
  end
  local left = call('PTTL', key)
  if left < 0 then
    return left
  end
  tick()
  return now + left
end

-- Runs main. An answer that it throws is as good as one that it returns.
local function run(main)
  local ok, answer = pcall(main)
  if not ok and type(answer) ~= 'table' then
    return redis.error_reply(answer)
  end
  return answer
end

-- Commands, errors, numbers and time.
--
-- A script does all reads and checks before its first write, so a script that is refused has changed
-- nothing. The server creates the functions of a script anew in each run. For that reason a script
-- includes only the files that it needs, and functions that few calls need are created on demand.

--- @include "lib/keys"
--- @include "lib/clock"

local function unreadable(key, reason)
  error({'UNREADABLE', key, reason})
end

-- Runs a command on a key. An error ends the script: `run` below catches it.
local function call(command, key, ...)
  local reply = pcall_redis(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE', 1, true) then
      unreadable(key, 'its type is wrong')
    end
    error(reply)
  end
  return reply
end

local NEVER = math.huge

local texts = {} -- a script writes the same few instants several times

-- All digits of a number; `..` would write only 14 of them.
local function text(number)
  local known = texts[number]
  if not known then
    known = number == NEVER and 'inf' or string.format('%.0f', number)
    texts[number] = known
  end
  return known
end

-- Runs the body of a script. A table that it throws is its answer.
local function run(main)
  local ok, answer = pcall(main)
  if not ok and type(answer) ~= 'table' then
    return redis.error_reply(answer)
  end
  return answer
end

-- Commands, errors, numbers and time.
--
-- A script collects its writes, and does them once it has read and checked everything. So a script that is
-- refused, or meets a value that it cannot read, has changed nothing. The server creates the functions of a
-- script anew in each run. For that reason a script includes only the files that it needs, and functions
-- that few calls need are created on demand.

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
    -- The wording of Redis 6 and 7.0, and of later servers.
    if string.find(reply.err, "can't run this command", 1, true) or string.find(reply.err, 'permissions to run', 1, true) then
      error({'NOT_PERMITTED', command})
    end
    error(reply)
  end
  return reply
end

local writes = {} -- the commands that the script has yet to run

-- Adds a command that writes.
local function write(...)
  writes[#writes + 1] = {...}
end

-- Runs the collected commands, or none of them if the user may not run one. If the first one is refused,
-- nothing was done, so its permission need not be asked. Redis 6 cannot be asked.
local function flush()
  local commands = writes
  writes = {}
  local may_run = redis.acl_check_cmd
  local known = {[commands[1][1]] = true}
  for i = 2, #commands do
    local command, key = commands[i][1], commands[i][2]
    if not known[command] then
      known[command] = true
      if may_run and not may_run(command, key) then
        error({'NOT_PERMITTED', command})
      end
    end
  end
  for i = 1, #commands do
    call(unpack(commands[i]))
  end
end

local NEVER = math.huge
local MAX_NUMBER = $MAX_NUMBER -- the largest number that a stored value may have

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

-- Runs the body of a script, and then its writes. A table that it throws is its answer.
local function run(main)
  local ok, answer = pcall(main)
  if ok and writes[1] then
    local done, failure = pcall(flush)
    if not done then
      ok, answer = false, failure
    end
  end
  if not ok and type(answer) ~= 'table' then
    return redis.error_reply(answer)
  end
  return answer
end

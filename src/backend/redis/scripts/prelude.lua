-- What every script is built on: commands, time, and the record of a session.
--
-- All reads and checks of a script come before its first write, so that a script that is refused
-- has changed nothing.

local function unreadable(key, reason)
  error({'UNREADABLE', key, reason})
end

local perform, type, format, match = redis.pcall, type, string.format, string.match

local function fail(key, reply)
  if string.find(reply.err, 'WRONGTYPE', 1, true) then
    unreadable(key, 'its type is wrong')
  end
  error(reply)
end

-- Runs a command on a key. An error ends the script: main() below is run by pcall.
local function call(command, key, ...)
  local reply = perform(command, key, ...)
  if type(reply) == 'table' and reply.err then
    fail(key, reply)
  end
  return reply
end

local texts = {} -- a script writes the same few instants again and again

-- A number in full; .. would cut it to 14 digits.
local function text(number)
  local known = texts[number]
  if not known then
    known = format('%.0f', number)
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

local NEVER = math.huge

-- The instant of a TTL that may be empty; beyond 2^53 a number is no exact instant any more.
local function deadline_of(ttl)
  local deadline = ttl ~= '' and now + ttl or NEVER
  return deadline < 9007199254740992 and deadline or NEVER
end

-- Redis keeps a key through the millisecond of its expiry; a session is gone at its deadline.
local function expiry_of(deadline)
  return text(deadline - 1)
end

local RECORD = '^1 (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (%d+) (%d+) (%d+) (%S+) (%d+) (%d+) (%S+) (.*)$'

local function unpack_record(key, record)
  local head = {key = key, payload = false}
  local deadline, lease_until
  head.revision, head.created, deadline, head.flags, head.operation, head.scope, head.order, head.since,
    head.attempt, head.secret, lease_until, head.fencing, head.released, head.owner = string.match(record, RECORD)
  if not head.owner then
    unreadable(name('meta', key), 'it is no record of this version')
  end
  head.deadline = deadline == '0' and NEVER or tonumber(deadline)
  head.lease_until = tonumber(lease_until)
  return head
end

local function pack_record(head)
  return '1 ' .. head.revision .. ' ' .. head.created .. ' ' .. (head.deadline == NEVER and '0' or text(head.deadline))
    .. ' ' .. head.flags .. ' ' .. head.operation .. ' ' .. head.scope .. ' ' .. head.order .. ' ' .. head.since
    .. ' ' .. head.attempt .. ' ' .. head.secret .. ' ' .. (head.lease_until == 0 and '0' or text(head.lease_until))
    .. ' ' .. head.fencing .. ' ' .. head.released .. ' ' .. head.owner
end

local function has(head, flag)
  return string.find(head.flags, flag, 2, true) ~= nil
end

-- On a Cluster a session bears the stamp of its pointer, at the end of the flags.
local function stamp_of(head)
  return string.match(head.flags, '%d*$')
end

-- On a Cluster: refuses a call whose pointer may not be there any more. A call that found its pointer
-- (`=stamp`) needs the session to bear that stamp, one that wrote it (`+stamp`) needs it not to be fenced
-- off since. Empty where there are no pointers.
local function stale(stored, key, seal)
  local how, stamp = string.match(seal, '^([=+])(%d+)$')
  if how == '=' and not (stored and stamp_of(stored) == stamp) then
    return {'STALE', '0'}
  end
  local fence = how == '+' and call('GET', name('fence', key))
  return fence and tonumber(stamp) <= tonumber(fence) and {'STALE', fence} or nil
end

-- Takes the wait from a head. The fencing number stays, so that it only ever grows.
local function make_idle(head)
  head.scope, head.order, head.since, head.attempt = '-', '0', '0', '0'
  head.secret, head.lease_until, head.released = '-', 0, '-'
end

-- Runs main. An answer that it throws is as good as one that it returns.
local function run(main)
  local ok, answer = pcall(main)
  if not ok and type(answer) ~= 'table' then
    return redis.error_reply(answer)
  end
  return answer
end

-- Timeouts, and the index of what is due (C32, C33). {due} holds the members `owner key` by the instant from
-- which somebody has to look at the wait. On a Cluster it is the set of the owner's slot, which the call names.
-- An early instant is harmless; claim_due corrects it.

--- @include "lib/write"
--- @include "lib/expires_at"

local due = KEYS[2] or base .. 'due'

-- The timeout of a new wait, as its record has it. `asked` is a letter and the time from now; empty for none.
local function timeout_of(asked, ttl)
  if asked == '' then
    return '-'
  end
  local after = tonumber(string.sub(asked, 2))
  if ttl ~= '' and after >= tonumber(ttl) then
    error({'LATE_TIMEOUT', ttl})
  end
  return string.sub(asked, 1, 1) .. text(math.min(now + after, $LATEST_DEADLINE)) .. ':0'
end

-- The instant from which the wait is due: that of its timeout, after its lease and a pause, and not behind its
-- deadline, so that what is left of an ended session is always due.
local function due_at(head)
  local _, at, lapses = timeout_parts(head)
  if head.secret ~= '-' then
    at = math.max(at, head.lease_until + math.min(1000 * 2 ^ lapses, $LONGEST_PAUSE))
  end
  return math.min(at, head.deadline)
end

-- On a Cluster the owner must be that of the call: the owner in a damaged record can be in another slot.
local function member_of(head)
  if KEYS[2] and not string.find(base, '{' .. head.owner .. '}:', 1, true) then
    unreadable(name('meta', head.key), 'it names another owner')
  end
  return head.owner .. ' ' .. head.key
end

-- The owner of a member, the key of its session, and how the names of the owner's keys begin.
local function parts_of(member)
  local owner, key = string.match(member, '^([^ ]+) (.*)$')
  if owner and KEYS[2] then
    return owner, key, string.match(base, '^[^{]*') .. '{' .. owner .. '}:'
  end
  return owner, key, base
end

-- Drops up to eight members whose session is over, if many are due. They are looked for among all that are due.
local function drop_ended()
  local count = call('ZCOUNT', due, '-inf', now)
  if count <= $MANY_DUE then
    return
  end
  local found = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', micros % (count - 7), 8)
  for _, member in ipairs(found) do
    local owner, key, start = parts_of(member)
    if not owner or call('EXISTS', start .. 'session:' .. key) == 0 then
      write('ZREM', due, member)
    end
  end
end

-- Writes when the wait is due, before its deadline is written.
local function schedule(head)
  drop_ended()
  local ends = expires_at(due)
  write('ZADD', due, text(due_at(head)), member_of(head))
  if head.deadline == NEVER then
    if ends >= 0 then
      write('PERSIST', due)
    end
  elseif ends == -2 or ends >= 0 and ends < head.deadline - 1 then
    -- A little later, so that few writes have to move it.
    write('PEXPIREAT', due, text(head.deadline + math.floor((head.deadline - now) / 16)))
  end
end

-- Removes a wait from the index.
local function unschedule(head)
  if call('ZSCORE', due, member_of(head)) then
    write('ZREM', due, member_of(head))
  end
end

-- Takes a closed wait off its scope, for good: another takes it, or its turn is handed out.
local function leave_scope(head)
  head.timeout = 'C' .. string.sub(head.timeout, 2)
end

-- Hands out turns that are due in one set of the due index (C33). Each turn is a step, which reads all that it
-- needs before it writes.

--- @include "lib/hold"
--- @include "lib/if_readable"

-- With more bytes of payloads than that in the answer, the other turns are left to another call.
local ENOUGH = 4194304

-- The digest of a timeout's message: no digest of a message id, which is a SHA-256, ends in zeros like that.
local function message_of(head)
  return redis.sha1hex(head.order .. ':' .. head.key) .. string.rep('0', 24)
end

-- Claims the wait of a session that is due.
local function claim(head, secret, lease, claimed_by)
  if is_closed(head) and routed_scope(head) ~= '-' then
    local gone = {}
    unroute(head, gone)
    if #gone > 0 then
      write('DEL', unpack(gone))
    end
    leave_scope(head)
  end
  count_lapse(head)
  set_lease(head, now + lease, own_deadline_of(head))
  head.attempt = text(math.min(head.attempt + 1, 4294967295))
  head.secret, head.message, head.claimed_by = secret, message_of(head), claimed_by
  head.fencing = text(math.max(head.fencing + 1, micros))
  write('ZADD', due, text(due_at(head)), member_of(head))
  write_record(head)
end

-- Looks at a member. Returns its session if it is due; otherwise it moves to when it is, or leaves the index.
local function take(member)
  local owner, key, start = parts_of(member)
  local is_read, head = true, nil
  if owner then
    base = start
    is_read, head = if_readable(load, key, true)
  end
  if not is_read then
    write('ZADD', due, text(now + $LONGEST_PAUSE), member) -- it must not keep the others from being handed out
  elseif not head or head.owner ~= owner or head.timeout == '-' then
    write('ZREM', due, member)
  elseif due_at(head) > now then
    write('ZADD', due, text(due_at(head)), member)
  else
    return head
  end
end

return run(function()
  -- Behind the lease and its holder stands a secret for each turn.
  local lease, claimed_by = unpack(ARGV, 2, 3)
  local members = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, #ARGV - 3)
  local turns, size = {}, 0
  for i, member in ipairs(members) do
    local head = take(member)
    if head then
      claim(head, ARGV[i + 3], lease, claimed_by)
      turns[#turns + 1] = {'OK', head.key, head.payload, pack_record(head)}
      size = size + #head.payload
    end
    if #writes > 0 then
      flush() -- the next one looks at what is left
    end
    if size > ENOUGH then
      break
    end
  end
  local first = call('ZRANGEBYSCORE', due, '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
  return {'OK', text(now), first and text(math.min(math.max(tonumber(first), 0), MAX_NUMBER)) or '', turns}
end)

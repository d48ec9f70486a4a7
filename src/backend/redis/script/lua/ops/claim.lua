-- Claims the session that waits on a scope, for one message; or the start of a flow on the last scope, where
-- no session waits (C16, C27).

--- @include "lib/keys"
-- The scopes stand in the order in which they are tried, each with its legacy_scope. If a flow may start, one
-- more argument stands last: the limit on the waits of the owner, whether the session key is known to be
-- another owner's, and the key of the session to be, with a space between them.
local owner, message, secret, claimed_by, lease, scope, legacy_scope = unpack(ARGV, 2)
--- @include "fast/claim"
--- @include "lib/start"
--- @include "lib/hold"

local function claimed(head)
  return {'OK', head.key, head.payload, pack_record(head)}
end

local function started(claim)
  return {'STARTED', claim.key, claim.attempt, text(claim.lease_until), claim.fencing}
end

local function next_attempt(claim)
  claim.attempt = text(math.min(claim.attempt + 1, $MAX_ATTEMPT))
  claim.secret, claim.message = secret, message
  claim.fencing = text(math.max(claim.fencing + 1, micros))
end

-- Claims the start on the scope. `stored` is the record of an earlier claim, whose session key stays, and `closed`
-- a session whose wait has closed.
local function claim_start(stored, index_header, closed)
  local limit, is_foreign, key = string.match(ARGV[#ARGV], '^([0-9]+) ([01]) (.*)$')
  local claim = stored or {key = key, owner = owner, scope = scope, attempt = '0', fencing = '0'}
  local taken = load(claim.key)
  if is_foreign == '1' and claim.key == key or taken and taken.owner ~= owner then
    return {'FOREIGN'}
  elseif taken then
    return {'EXISTS'}
  elseif not stored and not closed and is_full(owner, index_header, tonumber(limit)) then
    return {'FULL'}
  end
  next_attempt(claim)
  claim.released = '-'
  lease_start(claim, stored, index_header, lease, closed)
  return started(claim)
end

return run(function()
  local done = call('HGET', name('done', owner), message)
  local ends = done and string.match(done, '^([0-9]+) ')
  if done and (not ends or #ends > 16) then
    unreadable(name('done', owner), 'a message is damaged')
  end
  if ends and tonumber(ends) > now then
    local reply = string.match(done, '^[^ ]+ [^ ]+ [^ ]+ ([0-9:]+)$')
    return {'DUPLICATE', reply and call('HGET', name('replies', owner), reply)}
  end
  local head, found, stored, closed
  for i = 7, #ARGV - 1, 2 do
    scope, legacy_scope = ARGV[i], ARGV[i + 1]
    found = call('HMGET', name('route', owner), scope, '#')
    stored = start_in(owner, scope, found[1])
    closed = nil
    if stored and (stored.secret == secret or claimed_until(stored) > 0) then
      head = stored
    else
      head, closed = waiting(owner, found[1], legacy_scope, true)
    end
    if head then
      break
    end
  end
  if not head then
    return #ARGV % 2 == 1 and claim_start(stored, found[2], closed) or {'NO_WAIT'}
  end
  if head.secret == secret then
    return head == stored and started(head) or claimed(head)
  end
  local busy = claimed_until(head)
  if busy > 0 then
    return {'BUSY', busy, head.message == message and 1 or 0}
  end
  count_lapse(head)
  set_lease(head, now + lease, own_deadline_of(head))
  local was_legacy = head.scope == '-'
  if was_legacy then
    -- 1.2 parked it. From now on it is in the owner's index, with the deadline that the claim gave it.
    call('ZCARD', name('expiry', owner)) -- a key of another type ends the script here
    head.scope, head.flags = scope, string.gsub(head.flags, 'p', '')
    index_wait(head, found[2], stored, stored)
  end
  next_attempt(head)
  head.claimed_by = claimed_by
  write_record(head)
  if was_legacy then
    legacy().remove_wait(owner, legacy_scope, head.key)
  end
  return claimed(head)
end)

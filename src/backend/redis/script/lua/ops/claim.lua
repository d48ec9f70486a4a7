-- Claims the session that waits on a scope, for one message (C16).

--- @include "lib/keys"
-- The scopes stand last, in the order in which they are tried, each with its legacy_scope.
local owner, message, secret, lease, scope, legacy_scope = unpack(ARGV, 2)
--- @include "fast/claim"
--- @include "lib/index"
--- @include "lib/hold"

local function claimed(head)
  return {'OK', head.key, head.payload, pack_record(head)}
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
  local head, found
  for i = 6, #ARGV, 2 do
    scope, legacy_scope = ARGV[i], ARGV[i + 1]
    found = call('HMGET', name('route', owner), scope, '#')
    head = waiting(owner, found[1], legacy_scope, true)
    if head then
      break
    end
  end
  if not head then
    return {'NO_WAIT'}
  end
  if head.secret == secret then
    return claimed(head)
  end
  local busy = claimed_until(head)
  if busy > 0 then
    return {'BUSY', busy, head.message == message and 1 or 0}
  end
  set_lease(head, now + lease, own_deadline_of(head))
  local was_legacy = head.scope == '-'
  if was_legacy then
    -- 1.2 parked it. From now on it is in the owner's index, with the deadline that the claim gave it.
    call('ZCARD', name('expiry', owner)) -- a key of another type ends the script here
    head.scope, head.flags = scope, string.gsub(head.flags, 'p', '')
    index_wait(head, found[2], nil, false)
  end
  head.attempt = text(math.min(head.attempt + 1, 4294967295))
  head.secret, head.message = secret, message
  head.fencing = text(math.max(head.fencing + 1, micros))
  write_record(head)
  if was_legacy then
    legacy().remove_wait(owner, legacy_scope, head.key)
  end
  return claimed(head)
end)

-- ARGV: base, owner, scope, scope as 1.2 hashed it, message, secret, lease

local function claimed(head)
  return {'OK', head.key, head.payload, pack_record(head)}
end

return run(function()
  local owner, secret = ARGV[2], ARGV[6]
  tick()
  local done = call('HGET', name('done', owner), ARGV[5])
  if done and tonumber(string.match(done, '^%d+')) > now then
    return {'DUPLICATE'}
  end
  local found = call('HMGET', name('route', owner), ARGV[3], '#')
  local head = waiting(owner, found[1], ARGV[4], true)
  if not head then
    return {'NO_WAIT'}
  end
  if head.secret == secret then
    return claimed(head)
  end
  local busy = claimed_until(head)
  if busy > 0 then
    return {'BUSY', busy}
  end
  local published = head.scope == '-'
  if published then
    -- 1.2 parked it; from now on it waits as others do.
    head.scope, head.flags = ARGV[3], string.gsub(head.flags, 'p', '')
    index_wait(head, found[2], nil, false)
  end
  head.attempt = text(math.min(head.attempt + 1, 4294967295))
  head.secret, head.lease_until = secret, now + ARGV[7]
  head.fencing = text(math.max(head.fencing + 1, micros))
  write_record(head)
  if published then
    legacy().unpublish(owner, head.key, ARGV[4])
  end
  return claimed(head)
end)

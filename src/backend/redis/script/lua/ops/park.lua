-- ARGV: base, owner, session key, scope, scope as 1.2 hashed it, ttl, operation, if absent, payload, seal

return run(function()
  local owner, key, scope, published, operation = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[7]
  tick()
  local stored = load(key)
  local refused = stale(stored, key, ARGV[10])
  if refused then
    return refused
  end
  if stored then
    if stored.owner ~= owner then
      return {'FOREIGN'}
    end
    -- Also where another session has displaced it since: a repeat must not take the scope back.
    if stored.operation == operation then
      return {'OK', stored.revision}
    end
  end
  local found = call('HMGET', name('route', owner), scope, '#')
  local holder = holder_of(owner, found[1], published, stored)
  if holder and ARGV[8] == '1' then
    return {'EXISTS', holder.key}
  end
  local busy = stored and claimed_until(stored) or 0
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  local head = newcomer(owner, key, scope, operation, ARGV[6], ARGV[9], string.match(ARGV[10], '%d*$'))
  return register(head, published, stored, holder, found[2])
end)

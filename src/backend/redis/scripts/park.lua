-- ARGV: base, owner, session key, scope, scope as 1.2 hashed it, ttl, operation, if absent, payload, seal

return run(function()
  local next = {
    owner = ARGV[2], key = ARGV[3], scope = ARGV[4], published = ARGV[5], ttl = ARGV[6], operation = ARGV[7],
    payload = ARGV[9], stamp = string.match(ARGV[10], '%d*$'),
  }
  tick()
  local waits, route = published_names(next.owner, next.published)
  local old = call('EXISTS', name('session', next.key), name('meta', next.key), waits, route) > 0
  local stored = old and load(next.key) or nil
  local refused = stale(stored, next.key, ARGV[10])
  if refused then
    return refused
  end
  if stored then
    if stored.owner ~= next.owner then
      return {'FOREIGN'}
    end
    -- Also where another session has displaced it since: a repeat must not take the scope back.
    if stored.operation == next.operation then
      return {'OK', stored.revision}
    end
  end
  local found = call('HMGET', name('route', next.owner), next.scope, '#')
  local holder = waiting(next.owner, found[1], old and next.published)
  if holder and ARGV[8] == '1' then
    return {'EXISTS', holder.key}
  end
  local busy = stored and claimed_until(stored) or 0
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  return register(next, stored, holder, found[2])
end)

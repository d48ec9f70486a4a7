-- C26: stores a session as it was elsewhere.
-- ARGV: base, owner, session key, flags, revision, created or empty, deadline or empty, fencing,
-- if absent, operation, payload, seal, and if it waits: scope, order, since or empty, attempt

local function number_or(value, default)
  return value ~= '' and value or text(default)
end

return run(function()
  tick()
  local owner, key, scope = ARGV[2], ARGV[3], ARGV[13]
  local deadline = tonumber(ARGV[7]) or NEVER
  if deadline <= now then
    return {'EXPIRED'}
  end
  local stored = load(key)
  local refused = stale(stored, key, ARGV[12])
  if refused then
    return refused
  end
  if stored and stored.owner ~= owner then
    return {'FOREIGN'}
  end
  if stored and stored.operation == ARGV[10] then
    return {'OK'}
  end
  local holder = scope and waiting(owner, call('HGET', name('route', owner), scope), scope)
  local displaced = holder and holder.key ~= key and holder or nil
  if ARGV[9] == '1' and (stored or displaced) then
    return {'EXISTS'}
  end
  for _, head in pairs({stored = stored, displaced = displaced}) do
    local busy = claimed_until(head)
    if busy > 0 then
      return {'CLAIMED', busy}
    end
  end
  local head = {
    key = key, owner = owner, flags = ARGV[4] .. string.match(ARGV[12], '%d*$'), revision = ARGV[5], created = number_or(ARGV[6], now),
    deadline = deadline, fencing = ARGV[8], operation = ARGV[10],
  }
  make_idle(head)
  -- Their types, before the first write.
  call('GET', name('user', owner))
  if is_published(displaced) then
    call('SCARD', legacy().set_of(owner))
    call('GET', published_route(owner, scope))
  end
  if stored then
    purge(stored, scope, true)
    swept = true
  end
  if is_published(displaced) then
    legacy().unpublish(owner, displaced.key, scope)
  end
  if scope then
    local book = call('HGET', name('route', owner), '#')
    head.scope, head.attempt = scope, ARGV[16]
    index_wait(head, book, nil, displaced, ARGV[14], number_or(ARGV[15], now))
  end
  local ends = deadline ~= NEVER and {'PXAT', expiry_of(deadline)} or {}
  call('SET', name('session', key), ARGV[11], unpack(ends))
  write_record(head)
  if has(head, 'c') then
    call('SET', name('user', owner), key, unpack(ends))
  end
  if displaced and not displaced.published then
    make_idle(displaced)
    write_record(displaced)
  end
  return {'OK'}
end)

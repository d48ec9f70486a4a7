-- ARGV: base, owner, session key, flags, ttl, operation, payload, seal

return run(function()
  local owner, key = ARGV[2], ARGV[3]
  local session = name('session', key)
  tick()
  local stored = call('EXISTS', session, name('meta', key)) > 0 and load(key) or nil
  local refused = stale(stored, key, ARGV[8])
  if refused then
    return refused
  end
  if stored then
    if stored.owner ~= owner then
      return {'FOREIGN'}
    end
    return {stored.operation == ARGV[6] and 'OK' or 'EXISTS'}
  end
  local head = {
    key = key, owner = owner, flags = ARGV[4] .. string.match(ARGV[8], '%d*$'), operation = ARGV[6], revision = '1', created = text(now),
    deadline = deadline_of(ARGV[5]), fencing = '0',
  }
  make_idle(head)
  -- GET makes SET look at the type of what is there.
  local until_deadline = head.deadline ~= NEVER and {'PXAT', expiry_of(head.deadline)} or {}
  if has(head, 'c') then
    call('SET', name('user', owner), key, 'GET', unpack(until_deadline))
  end
  call('SET', session, ARGV[7], unpack(until_deadline))
  write_record(head)
  return {'OK'}
end)

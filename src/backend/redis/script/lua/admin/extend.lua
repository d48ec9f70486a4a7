-- C24: the deadline alone, anew. ARGV: base, session key, ttl or empty, seal

-- Moves the deadline of a wait in the owner's index.
local function reschedule(head, deadline)
  local route, due = name('route', head.owner), name('due', head.owner)
  local found = call('HMGET', route, head.scope, '#')
  local last, soonest, latest = string.match(found[2] or '', '^([^ ]+) ([^ ]+) ([^ ]+)$')
  if found[1] ~= entry_of(head) or not last then
    return
  end
  call('ZADD', due, text(deadline), head.scope)
  local ends = math.max(tonumber(latest), deadline)
  if deadline < tonumber(latest) and head.deadline >= tonumber(latest) then
    ends = end_of('ZREVRANGE', due)
  end
  soonest = math.min(tonumber(soonest), deadline)
  call('HSET', route, '#', last .. ' ' .. text(soonest) .. ' ' .. text(ends))
  set_expiry(ends, route, due)
end

return run(function()
  tick()
  local head = load(ARGV[2])
  if not head then
    return {'NOT_FOUND'}
  end
  if is_published(head) and legacy().is_in_set(head) then
    -- Its scope, which has a deadline of its own, is not known here.
    return {'PUBLISHED'}
  end
  local deadline = deadline_of(ARGV[3])
  local refused = deadline > head.deadline and stale(head, head.key, ARGV[4])
  if refused then
    return refused -- its pointer may end earlier
  end
  local latest_created = has(head, 'c') and call('GET', name('user', head.owner)) == head.key
  if head.scope ~= '-' then
    reschedule(head, deadline)
  end
  if latest_created then
    set_expiry(deadline, name('user', head.owner))
  end
  set_expiry(deadline, name('session', head.key))
  head.deadline = deadline
  write_record(head)
  return {'OK', deadline == NEVER and '0' or text(deadline)}
end)

-- Park and commit: a session waits from now on (C9).

-- Puts a wait into the index, behind all others of the owner. `from` is the scope that the session
-- leaves; `frees` tells that an entry went which may have been the latest. A wait that is there
-- already, or was elsewhere, has an `order` and a `since` to keep.
local function index_wait(head, book, from, frees, order, since)
  local route, due = name('route', head.owner), name('due', head.owner)
  if swept then
    book = call('HGET', route, '#')
  end
  local last, soonest, latest = 0, NEVER, 0
  if book then
    last, soonest, latest = string.match(book, '^(%S+) (%S+) (%S+)$')
    soonest, latest = tonumber(soonest), tonumber(latest)
  end
  head.order, head.since = order or text(math.max(last + 1, micros)), since or text(now)
  if soonest <= now then
    soonest = prune(route, due)
  end
  call('ZADD', due, text(head.deadline), head.scope)
  if from ~= '-' and from ~= head.scope then
    call('ZREM', due, from)
    call('HDEL', route, from)
  end
  local ends = latest
  if head.deadline >= latest then
    ends = head.deadline
  elseif frees then
    ends = end_of('ZREVRANGE', due)
  end
  book = text(math.max(last, head.order)) .. ' ' .. text(math.min(soonest, head.deadline)) .. ' ' .. text(ends)
  call('HSET', route, head.scope, head.order .. ':' .. head.key, '#', book)
  if ends ~= latest and (latest > 0 or ends ~= NEVER) then
    set_expiry(ends, route, due)
  end
end

-- `next` is what the caller asks for, `stored` the session as it is, `holder` the session that waits
-- on the scope, `book` the owner's. Returns the new revision, or what refuses the call.
local function register(next, stored, holder, book)
  local displaced = holder and holder.key ~= next.key and holder or nil
  local busy = displaced and claimed_until(displaced) or 0
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  local from, latest_created = '-', false
  if stored then
    from = stored.scope
    latest_created = has(stored, 'c') and call('GET', name('user', stored.owner)) == stored.key
  end
  if is_published(stored) or is_published(displaced) then
    -- Their types, before the first write.
    local waits, route = published_names(next.owner, next.published)
    call('SCARD', waits)
    call('GET', route)
  end
  local head = {
    key = next.key, owner = next.owner, operation = next.operation,
    revision = stored and text(stored.revision + 1) or '1',
    created = stored and stored.created or text(now),
    deadline = deadline_of(next.ttl), flags = (stored and has(stored, 'c') and '-uc' or '-u') .. (next.stamp or stamp_of(stored)),
    scope = next.scope, attempt = '0', secret = '-', lease_until = 0,
    fencing = stored and stored.fencing or '0', released = '-',
  }
  index_wait(head, book, from, displaced or from ~= '-')
  local session = name('session', head.key)
  if head.deadline == NEVER then
    call('SET', session, next.payload)
  else
    call('SET', session, next.payload, 'PXAT', expiry_of(head.deadline))
  end
  write_record(head, head.deadline)
  if latest_created then
    set_expiry(head.deadline, name('user', head.owner))
  end
  if displaced and not displaced.published then
    make_idle(displaced)
    write_record(displaced, displaced.deadline)
  end
  if is_published(stored) then
    unpublish(head.owner, stored.key, next.published)
  end
  if is_published(displaced) then
    unpublish(head.owner, displaced.key, next.published)
  end
  return {'OK', head.revision}
end

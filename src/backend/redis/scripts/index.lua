-- The owner's index of waits: {route} leads from a scope to `order:key`, {due} holds the scopes by
-- deadline. The field `#` of {route} is the book: the last order given out, the soonest deadline,
-- and the latest, at which both keys expire.

local function set_expiry(deadline, ...)
  for _, key in ipairs({...}) do
    if deadline == NEVER then
      call('PERSIST', key)
    else
      call('PEXPIREAT', key, expiry_of(deadline))
    end
  end
end

-- The score at one end of {due}; `command` is ZRANGE or ZREVRANGE.
local function end_of(command, due)
  return tonumber(call(command, due, 0, 0, 'WITHSCORES')[2] or NEVER)
end

-- Drops up to eight dead scopes, so that no writer pays for many.
local function prune(route, due)
  local dead = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 8)
  if #dead > 0 then
    call('ZREM', due, unpack(dead))
    call('HDEL', route, unpack(dead))
  end
  return end_of('ZRANGE', due)
end

-- Takes a session's wait from the index. With the last wait both keys go: they join `gone`.
local function unroute(head, gone)
  local route, due = name('route', head.owner), name('due', head.owner)
  local found = call('HMGET', route, head.scope, '#')
  local waits = call('ZCARD', due)
  if found[1] ~= head.order .. ':' .. head.key then
    return
  end
  if waits <= 1 and call('HLEN', route) <= 2 then
    table.insert(gone, route)
    table.insert(gone, due)
    return
  end
  call('ZREM', due, head.scope)
  call('HDEL', route, head.scope)
  local last, soonest, latest = string.match(found[2] or '', '^(%S+) (%S+) (%S+)$')
  if last and head.deadline >= tonumber(latest) then
    local deadline = end_of('ZREVRANGE', due)
    if deadline < tonumber(latest) then
      call('HSET', route, '#', last .. ' ' .. soonest .. ' ' .. text(deadline))
      set_expiry(deadline, route, due)
    end
  end
end

-- Takes what 1.2 knew of a session's wait. The set of 1.2 has no expiry of its own: it gets that of
-- its longest session, as long as looking at all of them is cheap.
local function unpublish(owner, key, scope)
  local waits, route = published_names(owner, scope or '')
  local routed = scope and call('GET', route)
  call('SREM', waits, key)
  if routed == key then
    call('DEL', route)
  end
  if call('SCARD', waits) > 64 then
    return
  end
  local latest = -2
  for _, member in ipairs(call('SMEMBERS', waits)) do
    local at = expires_at(name('session', member))
    if at == -2 then
      call('SREM', waits, member)
    elseif latest ~= -1 then
      latest = at == -1 and -1 or math.max(latest, at)
    end
  end
  if latest > 0 then
    call('PEXPIREAT', waits, text(latest))
  end
end

-- Removes a session with all that leads to it (C7, C11, C13).
purge = function(head, published)
  if is_published(head) then
    unpublish(head.owner, head.key, published)
  end
  local gone = {name('session', head.key), name('meta', head.key)}
  if has(head, 'c') and call('GET', name('user', head.owner)) == head.key then
    table.insert(gone, name('user', head.owner))
  end
  if head.scope ~= '-' then
    unroute(head, gone)
  end
  call('DEL', unpack(gone))
end

-- C16: until when a live claim keeps others from writing; 0 if none does.
local function claimed_until(head)
  if head.secret == '-' then
    return 0
  end
  if not now then
    tick()
  end
  return head.lease_until > now and head.lease_until or 0
end

local function write_record(head, deadline)
  if deadline == NEVER then
    call('SET', name('meta', head.key), pack_record(head))
  else
    call('SET', name('meta', head.key), pack_record(head), 'PXAT', expiry_of(deadline))
  end
end

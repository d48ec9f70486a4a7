-- Reading sessions, also those that greentic-session 1.2 wrote.

local purge -- set by scripts that write
local swept = false

-- When a key expires by itself: -1 never, -2 there is none. Redis 6 does not know PEXPIRETIME.
local function expires_at(key)
  local at = redis.pcall('PEXPIRETIME', key)
  if type(at) == 'number' then
    return at
  end
  local left = call('PTTL', key)
  if left < 0 then
    return left
  end
  tick()
  return now + left
end

local function string_or_none(value)
  return type(value) == 'string' and value or nil
end

-- Whether the set of 1.2 may name the session.
local function is_published(head)
  return head and (head.published or has(head, 'p'))
end

-- The head of a session that 1.2 wrote: there is no record, so the payload tells the owner.
local function load_published(key, payload)
  local ok, data = pcall(cjson.decode, payload)
  local ctx = ok and type(data) == 'table' and data.tenant_ctx
  if type(ctx) ~= 'table' then
    unreadable(name('session', key), 'it is no session data')
  end
  local env, tenant = string_or_none(ctx.env), string_or_none(ctx.tenant_id) or string_or_none(ctx.tenant)
  if not env or not tenant then
    unreadable(name('session', key), 'it names no tenant')
  end
  local team = string_or_none(ctx.team_id) or string_or_none(ctx.team) or '-'
  if team == '-' and (ctx.team_id == '-' or ctx.team == '-') then
    team = '%2D'
  end
  local user = string_or_none(ctx.user_id) or string_or_none(ctx.user)
  local at = expires_at(name('session', key))
  local head = {
    key = key, payload = payload, published = true, revision = '1', created = '0', operation = '-',
    flags = user and '-u' or '-', deadline = at < 0 and NEVER or at + 1, fencing = '0',
    owner = env .. ':' .. tenant .. ':' .. team .. ':' .. (user or '@' .. key),
  }
  make_idle(head)
  return head
end

-- The session of a key, or nil. `with_payload` reads the payload too.
local function load(key, with_payload)
  local session = name('session', key)
  local record = call('GET', name('meta', key))
  local payload, size
  if with_payload or not record then
    payload = call('GET', session)
    size = payload and #payload or 0
  else
    size = call('STRLEN', session)
  end
  if size == 0 and (payload or call('EXISTS', session) == 1) then
    unreadable(session, 'it is empty')
  end
  if size == 0 then
    -- Deleted by hand, or evicted. What it leaves behind goes with the next write (C13).
    if record and purge then
      purge(unpack_record(key, record))
      swept = true
    end
    return nil
  end
  if not record then
    return load_published(key, payload)
  end
  local head = unpack_record(key, record)
  head.payload = payload
  return head
end

-- The keys under which 1.2 kept an owner's waits: the set, and the string of a scope.
local function published_names(owner, scope)
  local place = owner
  if string.find(owner, '%2D:', 1, true) then
    place = string.gsub(owner, '^([^:]*:[^:]*:)%%2D:', '%1-:')
  end
  return name('waits:user', place), name('waits:scope', place) .. ':' .. scope
end

local function is_published_in(waits, head)
  return is_published(head) and published_names(head.owner, '') == waits
end

-- C10: a session of 1.2 waits if the owner's set names it and the scope's string leads to it.
-- 1.2 gave no team and a team named `-` one set and one string: the payload tells whose wait it is.
local function published_wait(owner, scope, with_payload)
  local waits, route = published_names(owner, scope)
  local key = call('GET', route)
  if not key then
    return nil
  end
  local head = load(key, with_payload)
  if is_published_in(waits, head) and call('SISMEMBER', waits, key) == 1 then
    return head.owner == owner and head or nil
  end
  call('DEL', route) -- it leads nowhere
  return nil
end

-- The session that waits where the entry of the owner's routes leads, or where 1.2 routed the scope.
local function waiting(owner, entry, published, with_payload)
  if entry then
    local order, key = string.match(entry, '^(%d+):(.*)$')
    local head = key and load(key, with_payload)
    if head and head.order == order and head.owner == owner then
      return head
    end
  end
  return published and published_wait(owner, published, with_payload)
end

-- What greentic-session 1.2 wrote.

-- Whether the set of 1.2 may name the session.
local function is_published(head)
  return head and (head.published or has(head, 'p'))
end

-- How 1.2 wrote an owner.
local function place_of(owner)
  if string.find(owner, '%2D:', 1, true) then
    return (string.gsub(owner, '^([^:]*:[^:]*:)%%2D:', '%1-:'))
  end
  return owner
end

-- The string that leads from a scope to the session that waits there.
local function published_route(owner, scope)
  return name('waits:scope', place_of(owner) .. ':' .. scope)
end

local load -- load.lua
local made

-- What else is to be done about them; made when it is needed.
local function legacy()
  if made then
    return made
  end
  made = {}

  local function string_or_none(value)
    return type(value) == 'string' and value or nil
  end

  -- The head of a session that 1.2 wrote: there is no record, so the payload tells the owner.
  function made.load(key, payload)
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

  -- The set that names the sessions of an owner that wait.
  function made.set_of(owner)
    return name('waits:user', place_of(owner))
  end

  function made.is_of(set, head)
    return is_published(head) and made.set_of(head.owner) == set
  end

  function made.is_in_set(head)
    return call('SISMEMBER', made.set_of(head.owner), head.key) == 1
  end

  -- C10: a session of 1.2 waits if the owner's set names it and the scope's string leads to it.
  -- 1.2 gave no team and a team named `-` one set and one string: the payload tells whose wait it is.
  function made.waiting(owner, key, route, with_payload)
    local head = load(key, with_payload)
    if made.is_of(made.set_of(owner), head) and made.is_in_set(head) then
      return head.owner == owner and head or nil
    end
    call('DEL', route) -- it leads nowhere
    return nil
  end

  -- Takes what 1.2 knew of a session's wait. The set of 1.2 has no expiry of its own: it gets that of
  -- its longest session, as long as looking at all of them is cheap.
  function made.unpublish(owner, key, scope)
    local waits, route = made.set_of(owner), scope and published_route(owner, scope)
    local routed = route and call('GET', route)
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

  return made
end

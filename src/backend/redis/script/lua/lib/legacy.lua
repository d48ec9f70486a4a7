-- The keys that greentic-session 1.2 wrote.

--- @include "lib/record"

-- Whether the set of 1.2 may contain the session.
local function is_legacy(head)
  return head and (head.legacy or has_flag(head, 'p'))
end

-- An owner as 1.2 wrote it: without the difference between no team and a team named `-`.
local function legacy_owner(owner)
  if string.find(owner, '%2D:', 1, true) then
    return (string.gsub(owner, '^([^:]*:[^:]*:)%%2D:', '%1-:'))
  end
  return owner
end

-- The string of 1.2 that leads from a scope to the session that waits there.
local function legacy_route(owner, scope)
  return name('waits:scope', legacy_owner(owner) .. ':' .. scope)
end

local load -- lib/load
local functions

-- The other functions for the keys of 1.2, created on demand.
local function legacy()
  if functions then
    return functions
  end
  functions = {}

  -- Few scripts need it, so it is created here, unless the script includes it too.
  --- @include "lib/expires_at"

  local function string_or_nil(value)
    return type(value) == 'string' and value or nil
  end

  -- The owner that the data of a session names, and its user, which may be nil.
  function functions.owner_in(key, payload)
    local ok, data = pcall(cjson.decode, payload)
    local ctx = ok and type(data) == 'table' and data.tenant_ctx
    if type(ctx) ~= 'table' then
      unreadable(name('session', key), 'it is no session data')
    end
    local env, tenant = string_or_nil(ctx.env), string_or_nil(ctx.tenant_id) or string_or_nil(ctx.tenant)
    if not env or not tenant then
      unreadable(name('session', key), 'it names no tenant')
    end
    local team = string_or_nil(ctx.team_id) or string_or_nil(ctx.team) or '-'
    if team == '-' and (ctx.team_id == '-' or ctx.team == '-') then
      team = '%2D'
    end
    local user = string_or_nil(ctx.user_id) or string_or_nil(ctx.user)
    return env .. ':' .. tenant .. ':' .. team .. ':' .. (user or '@' .. key), user
  end

  -- The head of a session that has no record: the payload contains the owner.
  function functions.load(key, payload)
    local owner, user = functions.owner_in(key, payload)
    local at = expires_at(name('session', key))
    local head = {
      key = key, payload = payload, legacy = true, revision = '1', created = '0', operation = '-',
      flags = user and '-u' or '-', pointer = '-', deadline = at < 0 and NEVER or at + 1, ttl = '-', fencing = '0',
      owner = owner,
    }
    make_idle(head)
    return head
  end

  -- The set that contains the keys of an owner's sessions that wait.
  function functions.set_of(owner)
    return name('waits:user', legacy_owner(owner))
  end

  function functions.is_of(set, head)
    return is_legacy(head) and functions.set_of(head.owner) == set
  end

  function functions.is_in_set(head)
    return call('SISMEMBER', functions.set_of(head.owner), head.key) == 1
  end

  -- C10: a session of 1.2 waits if the owner's set contains it and the scope's string leads to it.
  -- In 1.2 no team and a team named `-` shared the set and the string: the payload decides between them.
  function functions.waiting(owner, key, route, with_payload)
    local head = load(key, with_payload)
    if functions.is_of(functions.set_of(owner), head) and functions.is_in_set(head) then
      return head.owner == owner and head or nil
    end
    write('DEL', route) -- it leads to no wait
    return nil
  end

  -- Removes the waits of one or two sessions from the keys of 1.2. The set of 1.2 has no expiry: it gets
  -- the latest expiry of its sessions if they are few enough to look at all of them.
  function functions.remove_wait(owner, scope, key, other)
    local waits, route = functions.set_of(owner), scope and legacy_route(owner, scope)
    local routed = route and call('GET', route)
    write('SREM', waits, key, other or key)
    if routed and (routed == key or routed == other) then
      write('DEL', route)
    end
    if call('SCARD', waits) > 65 then
      return
    end
    local latest = -2
    for _, member in ipairs(call('SMEMBERS', waits)) do
      if member ~= key and member ~= other then
        local at = expires_at(name('session', member))
        if at == -2 then
          write('SREM', waits, member)
        elseif latest ~= -1 then
          latest = at == -1 and -1 or math.max(latest, at)
        end
      end
    end
    if latest > 0 then
      write('PEXPIREAT', waits, text(latest))
    end
  end

  return functions
end

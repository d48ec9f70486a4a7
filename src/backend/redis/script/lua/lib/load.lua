-- Reading sessions.

local purge -- set by scripts that write
local swept = false

-- The session of a key, or nil. `with_payload` reads the payload too.
load = function(key, with_payload)
  local session = name('session', key)
  local record = call('GET', name('meta', key))
  local payload, size
  if with_payload or not record then
    payload = call('GET', session)
    size = payload and #payload or 0
  else
    size = call('STRLEN', session)
  end
  if size == 0 and (payload or record and call('EXISTS', session) == 1) then
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
    return legacy().load(key, payload)
  end
  local head = unpack_record(key, record)
  if with_payload then
    head.payload = payload
  end
  return head
end

-- The entry of a session in the owner's routes.
local function entry_of(head)
  return head.order .. ':' .. head.key
end

-- The session that waits where the entry of the owner's routes leads, or where 1.2 routed the scope.
-- `is_routed` tells of the former.
local function waiting(owner, entry, published, with_payload)
  if entry then
    local order, key = string.match(entry, '^([0-9]+):(.*)$')
    local head = key and load(key, with_payload)
    if head and head.order == order and head.owner == owner then
      head.is_routed = true
      return head
    end
  end
  if not published then
    return nil
  end
  local route = published_route(owner, published)
  local key = call('GET', route)
  return key and legacy().waiting(owner, key, route, with_payload) or nil
end

-- Reading sessions, and the entries of the owner's routes.

--- @include "lib/legacy"

local delete_session -- lib/delete_session; nil in a script that does not write
local index_changed = false -- whether `load` deleted a session, and so may have changed the index

-- Returns the session of a key as a head, or nil. With `with_payload` the head has a field `payload`.
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
    -- The payload was deleted by hand, or evicted. The next write deletes the rest (C13).
    if record and delete_session then
      delete_session(unpack_record(key, record))
      flush()
      index_changed = true
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

-- The entry of a session in the owner's routes, or that of a start claim.
local function entry_of(head)
  return head.entry or head.order .. ':' .. head.key
end

-- Returns the session to which an entry of the owner's routes leads, or a route of 1.2 for the scope. The
-- head has `is_routed` in the former case. A start claim is no session (C27). A wait that has closed is the
-- second result.
local function waiting(owner, entry, legacy_scope, with_payload)
  if entry and string.byte(entry) ~= 64 then
    local order, key = string.match(entry, '^([0-9]+):(.*)$')
    if not key then
      unreadable(name('route', owner), 'an entry is damaged')
    end
    local head = load(key, with_payload)
    if head and head.order == order and head.owner == owner then
      head.is_routed = true
      if is_closed(head) then
        return nil, head
      end
      return head
    end
  end
  if not legacy_scope then
    return nil
  end
  local route = legacy_route(owner, legacy_scope)
  local key = call('GET', route)
  return key and legacy().waiting(owner, key, route, with_payload) or nil
end

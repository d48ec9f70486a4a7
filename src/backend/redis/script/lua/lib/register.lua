-- Registering a wait, for park and commit (C9).

--- @include "lib/index"

-- The head of a new session; `pointer` is what its record holds of its pointer.
local function new_head(owner, key, scope, operation, deadline, ttl, payload, pointer)
  return {
    key = key, owner = owner, payload = payload, revision = '1', created = text(now), deadline = deadline,
    ttl = ttl_of_record(ttl), flags = '-u', pointer = pointer, operation = operation, scope = scope, order = '0',
    since = '0', attempt = '0', secret = '-', message = '-', lease_until = 0, own_deadline = '0', fencing = '0',
    released = '-',
  }
end

-- The session that waits on a scope. `stored` is a session that was read already.
local function holder_of(owner, entry, legacy_scope, stored)
  if stored and entry == entry_of(stored) then
    stored.is_routed = true
    return stored
  end
  return waiting(owner, entry, legacy_scope)
end

-- Writes a session that waits. `head` is the session as it will be, `stored` as it is; `holder` is the
-- session that waits on the scope. Returns the new revision, or a refusal.
local function register(head, legacy_scope, stored, holder, index_header)
  local displaced = holder and holder.key ~= head.key and holder or nil
  local busy = displaced and claimed_until(displaced) or 0
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  local latest_created = false
  if stored then
    head.revision, head.created, head.fencing = text(stored.revision + 1), stored.created, stored.fencing
    if has_flag(stored, 'c') then
      head.flags = '-uc'
      latest_created = call('GET', name('user', stored.owner)) == stored.key
    end
  end
  index_wait(head, index_header, stored, displaced or stored and stored.scope ~= '-')
  set_until(name('session', head.key), head.payload, head.deadline)
  write_record(head)
  if latest_created then
    set_expiry(head.deadline, name('user', head.owner))
  end
  if displaced and not displaced.legacy then
    make_idle(displaced)
    write_record(displaced)
  end
  local old, other = is_legacy(stored) and stored, is_legacy(displaced) and displaced
  if old or other then
    legacy().remove_wait(head.owner, legacy_scope, (old or other).key, old and other and other.key)
  end
  return {'OK', head.revision}
end

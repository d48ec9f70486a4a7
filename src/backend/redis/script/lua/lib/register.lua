-- Park and commit: a session waits from now on (C9).

-- A session that is registered for the first time; `stamp` is its pointer's, on a Cluster.
local function newcomer(owner, key, scope, operation, ttl, payload, stamp)
  return {
    key = key, owner = owner, payload = payload, revision = '1', created = text(now), deadline = deadline_of(ttl),
    flags = '-u' .. stamp, operation = operation, scope = scope, order = '0', since = '0', attempt = '0', secret = '-',
    lease_until = 0, fencing = '0', released = '-',
  }
end

-- The session that waits on the scope to be. `stored` has been read already.
local function holder_of(owner, entry, published, stored)
  if stored and entry == entry_of(stored) then
    stored.is_routed = true
    return stored
  end
  return waiting(owner, entry, published)
end

-- `head` is the session as it is to be, `stored` as it is, `holder` the session that waits on the scope,
-- which 1.2 hashed as `published`, and `book` the owner's. Returns the new revision, or what refuses the call.
local function register(head, published, stored, holder, book)
  local displaced = holder and holder.key ~= head.key and holder or nil
  local busy = displaced and claimed_until(displaced) or 0
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  local latest_created = false
  if stored then
    head.revision, head.created, head.fencing = text(stored.revision + 1), stored.created, stored.fencing
    if has(stored, 'c') then
      head.flags = '-uc' .. stamp_of(head)
      latest_created = call('GET', name('user', stored.owner)) == stored.key
    end
  end
  if is_published(stored) or is_published(displaced) then
    -- Their types, before the first write.
    call('SCARD', legacy().set_of(head.owner))
    call('GET', published_route(head.owner, published))
  end
  index_wait(head, book, stored, displaced or stored and stored.scope ~= '-')
  set(name('session', head.key), head.payload, head.deadline)
  write_record(head)
  if latest_created then
    set_expiry(head.deadline, name('user', head.owner))
  end
  if displaced and not displaced.published then
    make_idle(displaced)
    write_record(displaced)
  end
  if is_published(stored) then
    legacy().unpublish(head.owner, stored.key, published)
  end
  if is_published(displaced) then
    legacy().unpublish(head.owner, displaced.key, published)
  end
  return {'OK', head.revision}
end

-- Deleting a session. lib/index describes the owner's index of waits.

--- @include "lib/load"
--- @include "lib/write"
--- @include "lib/fence"

-- The score at one end of {expiry}; `command` is ZRANGE or ZREVRANGE.
local function end_of(command, expiry)
  return tonumber(call(command, expiry, 0, 0, 'WITHSCORES')[2] or NEVER)
end

-- Deletes a session and all that leads to it (C7, C11, C13). With `is_replaced` the same script writes
-- another session under the key, and no fence is needed.
delete_session = function(head, legacy_scope, is_replaced)
  -- Removes the session's wait from the index. If it is the last one, both keys of the index join `gone`.
  local function unroute(gone)
    local route, expiry = name('route', head.owner), name('expiry', head.owner)
    if not head.is_routed and call('HGET', route, head.scope) ~= entry_of(head) then
      return
    end
    local waits = call('ZCARD', expiry)
    if waits <= 1 and call('HLEN', route) <= 2 then
      gone[#gone + 1], gone[#gone + 2] = route, expiry
      return
    end
    call('ZREM', expiry, head.scope)
    call('HDEL', route, head.scope)
    local $INDEX_NAMES = string.match(call('HGET', route, '#') or '', $INDEX_PATTERN)
    if index_latest and head.deadline >= tonumber(index_latest) then
      local deadline = end_of('ZREVRANGE', expiry)
      if deadline < tonumber(index_latest) then
        index_latest = text(deadline)
        call('HSET', route, '#', $INDEX_TEXT)
        set_expiry(deadline, route, expiry)
      end
    end
  end

  if is_legacy(head) then
    legacy().remove_wait(head.owner, head.key, legacy_scope)
  end
  local gone = {name('session', head.key), name('meta', head.key)}
  if has_flag(head, 'c') and call('GET', name('user', head.owner)) == head.key then
    table.insert(gone, name('user', head.owner))
  end
  if head.scope ~= '-' then
    unroute(gone)
  end
  call('DEL', unpack(gone))
  local stamp = stamp_of(head)
  if stamp ~= '' and not is_replaced then
    -- The pointer is deleted next, and the call that wrote the session may have been sent twice.
    fence_off(head.key, stamp)
  end
end

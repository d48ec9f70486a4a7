-- Taking sessions away. index.lua tells of the owner's index of waits.

-- The score at one end of {due}; `command` is ZRANGE or ZREVRANGE.
local function end_of(command, due)
  return tonumber(call(command, due, 0, 0, 'WITHSCORES')[2] or NEVER)
end

-- Removes a session with all that leads to it (C7, C11, C13); its key may get another at once.
purge = function(head, published, is_replaced)
  -- Takes its wait from the index. With the last wait both keys go: they join `gone`.
  local function unroute(gone)
    local route, due = name('route', head.owner), name('due', head.owner)
    if not head.is_routed and call('HGET', route, head.scope) ~= entry_of(head) then
      return
    end
    local waits = call('ZCARD', due)
    if waits <= 1 and call('HLEN', route) <= 2 then
      gone[#gone + 1], gone[#gone + 2] = route, due
      return
    end
    call('ZREM', due, head.scope)
    call('HDEL', route, head.scope)
    local last, soonest, latest = string.match(call('HGET', route, '#') or '', '^([^ ]+) ([^ ]+) ([^ ]+)$')
    if last and head.deadline >= tonumber(latest) then
      local deadline = end_of('ZREVRANGE', due)
      if deadline < tonumber(latest) then
        call('HSET', route, '#', last .. ' ' .. soonest .. ' ' .. text(deadline))
        set_expiry(deadline, route, due)
      end
    end
  end

  if is_published(head) then
    legacy().unpublish(head.owner, head.key, published)
  end
  local gone = {name('session', head.key), name('meta', head.key)}
  if has(head, 'c') and call('GET', name('user', head.owner)) == head.key then
    table.insert(gone, name('user', head.owner))
  end
  if head.scope ~= '-' then
    unroute(gone)
  end
  call('DEL', unpack(gone))
  local stamp = stamp_of(head)
  if stamp ~= '' and not is_replaced then
    -- The call that wrote it may have been sent twice, and its pointer goes next.
    fence_off(head.key, stamp)
  end
end

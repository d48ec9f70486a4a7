-- Erases a part of what an owner has, also what is claimed (C22): sessions, then what 1.2 stored, then what the due
-- index still has of expired sessions, then replies, and message ids last. It goes in steps: a session with all that leads to it, or some entries that lead to no
-- session any more. Each step reads all that it needs before it writes. An error ends the script between two
-- steps.

--- @include "lib/delete_session"
--- @include "lib/if_readable"

-- How many waits one call erases, how many message ids, and how many members of the due index it looks at.
local WAITS, MESSAGES, DUE = 32, 128, 500

-- Removes the members of the owner whose sessions are over, among some that are due. Returns the position of the next; nil after the last.
local function forget_due(owner, position)
  local members, gone = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', position, DUE), {}
  for _, member in ipairs(members) do
    local of, key = parts_of(member)
    if of == owner and call('EXISTS', name('session', key)) == 0 then
      table.insert(gone, member)
    end
  end
  if #gone > 0 then
    write('ZREM', due, unpack(gone))
    flush()
  end
  return #members == DUE and text(position + DUE - #gone) or nil
end

-- Removes the message ids of a page. Returns how many were live, and the next cursor; '0' after the last.
local function forget_page(done, cursor)
  local page, gone, live = call('HSCAN', done, cursor, 'COUNT', MESSAGES), {}, 0
  for i = 1, #page[2], 2 do
    local ends = string.match(page[2][i + 1], '^(%d+) ')
    if page[2][i] ~= '#' then
      table.insert(gone, page[2][i])
      live = live + (ends and tonumber(ends) > now and 1 or 0)
    end
  end
  if call('HLEN', done) - #gone <= 1 then
    write('DEL', done)
  elseif #gone > 0 then
    write('HDEL', done, unpack(gone))
  end
  return live, page[1]
end

return run(function()
  -- `part` is `sessions`, `legacy`, `due` or `messages`, and `cursor` the position in it. With `more` other session
  -- keys follow in the next call. Behind them stand session keys, `key_count` of them, and, for the last
  -- part, scopes under which 1.2 stored waits.
  local owner, part, cursor, more, key_count = unpack(ARGV, 2, 6)
  local route, expiry, waits = name('route', owner), name('expiry', owner), legacy().set_of(owner)
  local pointed, erased, messages = {}, 0, 0

  local function answer(next_part, next_cursor)
    return {'OK', erased, messages, pointed, next_part, next_cursor}
  end

  -- An unreadable session must not protect the others. The walk before this call has reported it.
  local function erase(key)
    local is_read, head = if_readable(load, key)
    if is_read and head and head.owner == owner then
      delete_session(head)
      flush() -- the next one looks at what is left
      erased = erased + 1
      if stamp_of(head) ~= '' then
        table.insert(pointed, {'OK', head.key, stamp_of(head)})
      end
    end
    return is_read and not head
  end

  if part == 'sessions' then
    for i = 7, 6 + key_count do
      erase(ARGV[i])
    end
    local scopes = call('ZRANGE', expiry, 0, WAITS - 1)
    if #scopes > 0 then
      for _, entry in ipairs(call('HMGET', route, unpack(scopes))) do
        local key = string.match(entry or '', '^%d+:(.*)$')
        if key then
          erase(key)
        end
      end
      write('ZREM', expiry, unpack(scopes))
      write('HDEL', route, unpack(scopes))
      flush()
    end
    if more == '1' or call('ZCARD', expiry) > 0 then
      return answer('sessions', '0')
    end
    write('UNLINK', route)
    flush()
  end
  if part == 'sessions' or part == 'legacy' then
    local page, missing = call('SSCAN', waits, cursor, 'COUNT', WAITS), {}
    for _, key in ipairs(page[2]) do
      if erase(key) then
        table.insert(missing, key)
      end
    end
    if #missing > 0 then
      write('SREM', waits, unpack(missing))
      flush()
    end
    if page[1] ~= '0' then
      return answer('legacy', page[1])
    end
    local user = name('user', owner)
    local created = call('GET', user)
    if created and call('EXISTS', name('session', created)) == 0 then
      write('DEL', user)
      flush()
    end
    part, cursor = 'due', '0'
  end
  if part == 'due' then
    local position = forget_due(owner, cursor)
    if position then
      return answer('due', position)
    end
    cursor = '0'
  end
  for i = 7 + key_count, #ARGV do
    local scope = legacy_route(owner, ARGV[i])
    local key = call('GET', scope)
    if key and call('EXISTS', name('session', key)) == 0 then
      write('DEL', scope)
    end
  end
  write('UNLINK', name('replies', owner))
  messages, cursor = forget_page(name('done', owner), cursor)
  return answer(cursor ~= '0' and 'messages' or '', cursor)
end)

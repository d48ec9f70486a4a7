-- Erases all that an owner has, also what is claimed (C22).

--- @include "lib/delete_session"

local function live_messages(done)
  local count, fields = 0, call('HGETALL', done)
  for i = 1, #fields, 2 do
    local ends = string.match(fields[i + 1], '^(%d+) ')
    if fields[i] ~= '#' and ends and tonumber(ends) > now then
      count = count + 1
    end
  end
  return count
end

return run(function()
  -- Behind them stand session keys, `key_count` of them, and scopes under which 1.2 stored waits.
  local owner, key_count = unpack(ARGV, 2, 3)
  local keys = {}
  for i = 4, 3 + key_count do
    table.insert(keys, ARGV[i])
  end
  local route, expiry, done = name('route', owner), name('expiry', owner), name('done', owner)
  local fields = call('HGETALL', route)
  for i = 2, #fields, 2 do
    table.insert(keys, string.match(fields[i], '^%d+:(.*)$'))
  end
  local waits = legacy().set_of(owner)
  for _, key in ipairs(call('SMEMBERS', waits)) do
    table.insert(keys, key)
  end
  local messages = live_messages(done)
  local heads, seen = {}, {}
  for _, key in ipairs(keys) do
    -- An unreadable session must not protect the others. The walk before this call has reported it.
    local ok, head = pcall(load, key)
    if ok and head and head.owner == owner and not seen[key] then
      seen[key] = true
      table.insert(heads, head)
    elseif ok and not head then
      call('SREM', waits, key)
    end
  end
  local pointed = {}
  for _, head in ipairs(heads) do
    if stamp_of(head) ~= '' then
      table.insert(pointed, {'OK', head.key, stamp_of(head)})
    end
    delete_session(head)
  end
  call('DEL', route, expiry, done, name('user', owner))
  for i = 4 + key_count, #ARGV do
    local scope = legacy_route(owner, ARGV[i])
    local key = call('GET', scope)
    if key and (seen[key] or call('EXISTS', name('session', key)) == 0) then
      call('DEL', scope)
    end
  end
  return {'OK', #heads, messages, pointed}
end)

-- C22: erases all of an owner, also what is claimed.
-- ARGV: base, owner, number of session keys, session keys, scopes under which 1.2 filed waits

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
  tick()
  local owner, keys = ARGV[2], {}
  for i = 4, 3 + ARGV[3] do
    table.insert(keys, ARGV[i])
  end
  local route, due, done = name('route', owner), name('due', owner), name('done', owner)
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
    -- One that cannot be read is no reason to keep the rest; the walk has told of it.
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
    purge(head)
  end
  call('DEL', route, due, done, name('user', owner))
  for i = 4 + ARGV[3], #ARGV do
    local scope = published_route(owner, ARGV[i])
    local key = call('GET', scope)
    if key and (seen[key] or call('EXISTS', name('session', key)) == 0) then
      call('DEL', scope)
    end
  end
  return {'OK', #heads, messages, pointed}
end)

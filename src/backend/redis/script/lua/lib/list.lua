-- All waits of an owner.

local CHUNK = 1000 -- unpack() has a limit

-- The routes as {order, key}, in order of registration; those that share a place by their keys.
local function routes(owner)
  local found, fields = {}, call('HGETALL', name('route', owner))
  for i = 1, #fields, 2 do
    local order, key = string.match(fields[i + 1], '^([0-9]+):(.*)$')
    if key then
      table.insert(found, {order = order, key = key})
    end
  end
  table.sort(found, function(one, other)
    local before, after = tonumber(one.order), tonumber(other.order)
    return before < after or before == after and one.key < other.key
  end)
  return found
end

local function record_names(found, first)
  local names = {}
  for i = first, math.min(first + CHUNK - 1, #found) do
    table.insert(names, name('meta', found[i].key))
  end
  return names
end

-- Waits of 1.2 have no order; they come first, by key. The set forgets what is gone.
local function published_waits(owner)
  local waits = legacy().set_of(owner)
  local keys, latest = {}, -2
  for _, key in ipairs(call('SMEMBERS', waits)) do
    local head = load(key)
    if not legacy().is_of(waits, head) then
      call('SREM', waits, key)
    else
      latest = math.max(latest, head.deadline)
      if head.owner == owner then
        table.insert(keys, key)
      end
    end
  end
  if latest > 0 and latest ~= NEVER then
    call('PEXPIREAT', waits, expiry_of(latest))
  end
  table.sort(keys)
  return keys
end

-- The keys of the sessions that wait. Records and payloads are looked at by the thousand: an entry
-- counts only if the session still waits there.
local function waiting_keys(owner)
  local keys, found = published_waits(owner), routes(owner)
  for first = 1, #found, CHUNK do
    local records = call('MGET', unpack(record_names(found, first)))
    local sessions = {}
    for i, record in ipairs(records) do
      if record then
        table.insert(sessions, name('session', found[first + i - 1].key))
      end
    end
    local all_there = #sessions > 0 and call('EXISTS', unpack(sessions)) == #sessions
    for i, record in ipairs(records) do
      local entry = found[first + i - 1]
      local head
      if record and all_there then
        head = unpack_record(entry.key, record)
      else
        head = load(entry.key)
      end
      if head and head.order == entry.order and head.owner == owner then
        table.insert(keys, entry.key)
      end
    end
  end
  return keys
end

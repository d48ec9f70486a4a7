-- The list of an owner's waits.

--- @include "lib/load"
--- @include "lib/deadline"

local CHUNK = 1000 -- unpack() has a limit

-- The entries of the routes as {order, key}, in the order of registration, then by key.
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

-- The waits of 1.2, by key: they have no order, and come first. Members of the set that do not wait are
-- removed.
local function legacy_waits(owner)
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

-- The keys of the sessions that wait. An entry counts only if its session still waits there. Records are
-- read and payloads looked for in chunks.
local function waiting_keys(owner)
  local keys, found = legacy_waits(owner), routes(owner)
  for first = 1, #found, CHUNK do
    local records = call('MGET', unpack(record_names(found, first)))
    local sessions = {}
    for i, record in ipairs(records) do
      if record then
        table.insert(sessions, name('session', found[first + i - 1].key))
      end
    end
    local all_exist = #sessions > 0 and call('EXISTS', unpack(sessions)) == #sessions
    for i, record in ipairs(records) do
      local entry = found[first + i - 1]
      local head
      if record and all_exist then
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

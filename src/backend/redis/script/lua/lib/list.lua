-- The waits of an owner, in pages: no script looks at more of them than a page.

--- @include "lib/load"
--- @include "lib/deadline"

local PAGE = 100

-- Reads a session; false for one that cannot be read, so that it does not hide the owner's others.
local function readable(read, ...)
  local ok, head = pcall(read, ...)
  if not ok and (type(head) ~= 'table' or head[1] ~= 'UNREADABLE') then
    error(head)
  end
  return ok and head
end

-- Appends the orders and keys of those entries of the routes whose sessions still wait there. Records are
-- read, and payloads looked for, all at once.
local function append_waiting(waits, owner, entries)
  local found, names = {}, {}
  for _, entry in ipairs(entries) do
    local order, key = string.match(entry or '', '^([0-9]+):(.*)$')
    if key then
      table.insert(found, {order = order, key = key})
      table.insert(names, name('meta', key))
    end
  end
  if #found == 0 then
    return
  end
  local records, sessions = call('MGET', unpack(names)), {}
  for i, entry in ipairs(found) do
    if records[i] then
      table.insert(sessions, name('session', entry.key))
    end
  end
  local all_exist = #sessions > 0 and call('EXISTS', unpack(sessions)) == #sessions
  for i, entry in ipairs(found) do
    local head
    if records[i] and all_exist then
      head = readable(unpack_record, entry.key, records[i])
    else
      head = readable(load, entry.key)
    end
    if head and head.order == entry.order and head.owner == owner and not is_closed(head) then
      table.insert(waits, entry.order)
      table.insert(waits, entry.key)
    end
  end
end

-- The entries of the first waits that are not over, by deadline, and whether these are all.
local function first_entries(owner, limit)
  local live = call('ZRANGEBYSCORE', name('expiry', owner), '(' .. text(now), '+inf', 'LIMIT', 0, limit + 1)
  if #live == 0 then
    return {}, true
  end
  return call('HMGET', name('route', owner), unpack(live, 1, math.min(#live, limit))), #live <= limit
end

-- Appends the waits of 1.2 among some members of the owner's set, with the order 0: they come first.
-- Members that do not wait are removed. Returns the latest deadline, or `latest` if that is later.
local function append_legacy(waits, owner, members, latest)
  local set = legacy().set_of(owner)
  for _, key in ipairs(members) do
    local head = readable(load, key)
    if head == false then
      latest = NEVER
    elseif not legacy().is_of(set, head) then
      write('SREM', set, key)
    else
      latest = math.max(latest, head.deadline)
      if head.owner == owner then
        table.insert(waits, '0')
        table.insert(waits, key)
      end
    end
  end
  return latest
end

-- The set of 1.2 has no expiry: it gets the latest deadline of its sessions once all were looked at.
local function expire_legacy(owner, latest)
  if latest > 0 and latest ~= NEVER then
    write('PEXPIREAT', legacy().set_of(owner), expiry_of(latest))
  end
end

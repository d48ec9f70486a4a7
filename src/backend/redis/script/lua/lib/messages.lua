-- The messages that an owner has committed.

--- @include "lib/deadline"

-- When a remembered message is forgotten, and the secret of the claim that committed it; nil for no value.
local function read_message(done, value)
  if not value then
    return nil
  end
  local ends, by = string.match(value, '^([0-9]+) [0-9]+ (.*)$')
  if not ends or #ends > 16 then
    unreadable(done, 'a message is damaged')
  end
  return tonumber(ends), by
end

-- When the last message is forgotten, from the field `#`; 0 for no value.
local function read_newest(done, value)
  local newest = tonumber(value or 0)
  if not (newest and newest >= 0 and newest <= MAX_NUMBER) then
    unreadable(done, 'its field # is damaged')
  end
  return newest
end

-- The messages beyond the window or the limit, oldest first, once some are added. It looks for them only
-- once a sixty-fourth of the limit has come together, so that a busy owner does not pay for it with each
-- commit. What is damaged is kept.
local function forgettable(done, limit, added)
  local gone = {}
  if call('HLEN', done) - 1 + #added <= limit + math.floor(limit / 64) then
    return gone
  end
  local kept, is_added, fields = {}, {}, call('HGETALL', done)
  for _, message in ipairs(added) do
    is_added[message.field] = true
    table.insert(kept, message)
  end
  for i = 1, #fields, 2 do
    local ends, since = string.match(fields[i + 1], '^(%d+) (%d+) ')
    if ends and not is_added[fields[i]] then
      if tonumber(ends) > now then
        table.insert(kept, {field = fields[i], since = tonumber(since)})
      else
        table.insert(gone, fields[i])
      end
    end
  end
  table.sort(kept, function(one, other)
    return one.since < other.since
  end)
  for i = 1, #kept - limit do
    table.insert(gone, kept[i].field)
  end
  return gone
end

-- Remembers messages: each has a field, an end, an instant `since` in microseconds, and the secret of its
-- claim. `newest` is when the last one was forgotten until now.
local function remember(done, limit, newest, added)
  local gone = forgettable(done, limit, added)
  for _, message in ipairs(added) do
    newest = math.max(newest, message.ends)
  end
  for _, message in ipairs(added) do
    local value = text(message.ends) .. ' ' .. text(message.since) .. ' ' .. message.by
    write('HSET', done, message.field, value, '#', text(newest))
  end
  for first = 1, #gone, 1000 do
    write('HDEL', done, unpack(gone, first, math.min(first + 999, #gone)))
  end
  write('PEXPIREAT', done, expiry_of(newest))
end

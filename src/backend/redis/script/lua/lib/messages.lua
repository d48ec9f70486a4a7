-- The messages that an owner has committed.

--- @include "lib/deadline"

-- When a remembered message is forgotten, the secret of the claim that committed it, and the name of its reply,
-- which is empty for none; nil for no value.
local function read_message(done, value)
  if not value then
    return nil
  end
  local ends, by, reply = string.match(value, '^([0-9]+) [0-9]+ ([^ ]+) ?([0-9:]*)$')
  if not ends or #ends > 16 or #reply > 33 then
    unreadable(done, 'a message is damaged')
  end
  return tonumber(ends), by, reply
end

-- When the last message is forgotten, from the field `#`; 0 for no value.
local function read_newest(done, value)
  local newest = tonumber(value or 0)
  if not (newest and newest >= 0 and newest <= MAX_NUMBER) then
    unreadable(done, 'its field # is damaged')
  end
  return newest
end

-- The messages beyond the window or the limit, oldest first, once some are added, and the names of their
-- replies. It looks for them only when the messages exceed the limit by a sixty-fourth, because it must read all
-- of them. Damaged messages are kept.
local function forgettable(done, limit, added)
  local gone, replies = {}, {}
  if call('HLEN', done) - 1 + #added <= limit + math.floor(limit / 64) then
    return gone, replies
  end
  local function forget(field, reply)
    table.insert(gone, field)
    if reply ~= '' then
      table.insert(replies, reply)
    end
  end
  local kept, is_added, fields = {}, {}, call('HGETALL', done)
  for _, message in ipairs(added) do
    is_added[message.field] = true
    table.insert(kept, message)
  end
  for i = 1, #fields, 2 do
    local ends, since, reply = string.match(fields[i + 1], '^(%d+) (%d+) [^ ]+ ?([0-9:]*)$')
    if ends and #reply <= 33 and not is_added[fields[i]] then
      if tonumber(ends) > now then
        table.insert(kept, {field = fields[i], since = tonumber(since), name = reply})
      else
        forget(fields[i], reply)
      end
    end
  end
  table.sort(kept, function(one, other)
    return one.since < other.since
  end)
  for i = 1, #kept - limit do
    local message = kept[i]
    forget(message.field, message.name or '')
    message.reply = nil -- one of `added` may be older than what is stored
  end
  return gone, replies
end

-- Remembers messages: each has a field, an end, an instant `since` in microseconds, the secret of its claim,
-- and possibly a reply, and as `replaced` the name of the reply that was known until now. `newest` is when the
-- last one was forgotten until now.
local function remember(done, replies, limit, newest, added)
  local gone, dropped = forgettable(done, limit, added)
  local has_reply = false
  for _, message in ipairs(added) do
    newest = math.max(newest, message.ends)
    has_reply = has_reply or message.reply ~= nil
    if (message.replaced or '') ~= '' then
      table.insert(dropped, message.replaced)
    end
  end
  if has_reply or #dropped > 0 then
    -- Few calls need it, so it is created here, unless the script includes it too.
    --- @include "lib/replies"
    change_replies(replies, dropped, added)
  end
  for _, message in ipairs(added) do
    local value = text(message.ends) .. ' ' .. text(message.since) .. ' ' .. message.by
    if message.name then
      value = value .. ' ' .. message.name
    end
    write('HSET', done, message.field, value, '#', text(newest))
  end
  for first = 1, #gone, 1000 do
    write('HDEL', done, unpack(gone, first, math.min(first + 999, #gone)))
  end
  write('PEXPIREAT', done, expiry_of(newest))
end

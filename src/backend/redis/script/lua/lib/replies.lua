-- The replies of the messages that an owner has committed.
--
-- {replies} holds each under a name, `age:number`: the instant `since` of its message, and a number that no other
-- reply of the owner ever had. The message in {done} has the name. The field `#` is the header: the last number,
-- the bytes of all replies, and when the last one is forgotten.

--- @include "lib/deadline"

-- The length of a reply in clear: what encryption adds to it does not count. See src/envelope.rs.
local function length_of(reply)
  if string.sub(reply, 1, 3) ~= '\156GS' then
    return #reply
  end
  return math.max(#reply - (string.byte(reply, 4) == 0 and 4 or $SEALED_BYTES), 0)
end

-- The header; zeros for none.
local function read_replies(replies, header)
  local last, bytes, newest = string.match(header or '0 0 0', '^([0-9]+) ([0-9]+) ([0-9]+)$')
  if not last or #last > 16 or #bytes > 16 or #newest > 16 then
    unreadable(replies, 'its field # is damaged')
  end
  return tonumber(last), tonumber(bytes), tonumber(newest)
end

local function write_replies(replies, last, bytes, newest)
  write('HSET', replies, '#', text(last) .. ' ' .. text(bytes) .. ' ' .. text(newest))
  write('PEXPIREAT', replies, expiry_of(newest))
end

-- The age and the number in a name; nil for another field.
local function age_and_number(field)
  local age, number = string.match(field, '^([0-9]+):([0-9]+)$')
  return tonumber(age), tonumber(number)
end

-- Drops the replies with some names, and adds those of the messages in `added`, which get a field `name`. Then it
-- drops the oldest, until the others are within the limit.
local function change_replies(replies, dropped, added)
  local last, bytes, newest = read_replies(replies, call('HGET', replies, '#'))
  local fresh, gone = {}, {} -- by name: the messages whose replies are added, and the names that are dropped
  local function drop(field)
    if fresh[field] then
      bytes, fresh[field].name = bytes - length_of(fresh[field].reply), nil
    elseif not gone[field] then
      gone[field], bytes = true, bytes - length_of(call('HGET', replies, field) or '')
      write('HDEL', replies, field)
    end
  end
  for _, field in ipairs(dropped) do
    drop(field)
  end
  for _, message in ipairs(added) do
    if message.reply then
      last = math.max(last + 1, micros)
      message.name = text(message.since) .. ':' .. text(last)
      fresh[message.name], bytes = message, bytes + length_of(message.reply)
    end
  end
  if bytes > $REPLIES_BYTES then
    local names, age_of = call('HKEYS', replies), {}
    for field in pairs(fresh) do
      names[#names + 1] = field
    end
    for _, field in ipairs(names) do
      age_of[field] = age_and_number(field) or NEVER
    end
    table.sort(names, function(one, other)
      return age_of[one] < age_of[other]
    end)
    for _, field in ipairs(names) do
      if bytes <= $REPLIES_BYTES or age_of[field] == NEVER then
        break
      end
      drop(field)
    end
  end
  for field, message in pairs(fresh) do
    if message.name then
      write('HSET', replies, field, message.reply)
      newest = math.max(newest, message.ends)
    end
  end
  if newest > now then
    write_replies(replies, last, math.max(bytes, 0), newest)
  end
end

-- The messages that an owner has committed.

--- @include "lib/prelude"

-- Forgets the messages beyond the window or the limit, oldest first. It runs only once a sixty-fourth of
-- the limit has come together, so that a busy owner does not pay for it with each commit.
local function forget(done, limit)
  if call('HLEN', done) - 1 <= limit + math.floor(limit / 64) then
    return
  end
  local kept, gone, fields = {}, {}, call('HGETALL', done)
  for i = 1, #fields, 2 do
    local ends, since = string.match(fields[i + 1], '^(%d+) (%d+) ')
    if ends and tonumber(ends) > now then
      table.insert(kept, {field = fields[i], since = tonumber(since)})
    elseif fields[i] ~= '#' then
      table.insert(gone, fields[i])
    end
  end
  table.sort(kept, function(one, other)
    return one.since < other.since
  end)
  for i = 1, #kept - limit do
    table.insert(gone, kept[i].field)
  end
  for first = 1, #gone, 1000 do
    call('HDEL', done, unpack(gone, first, math.min(first + 999, #gone)))
  end
end

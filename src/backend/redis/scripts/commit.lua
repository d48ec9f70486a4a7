-- ARGV: base, owner, session key, message, secret, window, limit,
-- and to park again: scope, scope as 1.2 hashed it, ttl, payload

-- Forgets what is over the window or the limit, oldest first. It waits for a sixty-fourth of the
-- limit to come together, so that a busy owner does not pay for it with each commit.
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

-- The field `#` is when the last message is forgotten: the expiry of the whole.
local function remember(done, newest)
  local ends = math.min(now + ARGV[6], 9007199254740991)
  newest = math.max(tonumber(newest or 0), ends)
  call('HSET', done, ARGV[4], text(ends) .. ' ' .. text(micros) .. ' ' .. ARGV[5], '#', text(newest))
  forget(done, tonumber(ARGV[7]))
  call('PEXPIREAT', done, expiry_of(newest))
end

return run(function()
  local owner, key, secret = ARGV[2], ARGV[3], ARGV[5]
  local done = name('done', owner)
  tick()
  local known = call('HMGET', done, ARGV[4], '#')
  local ends, by = string.match(known[1] or '', '^(%d+) %d+ (.*)$')
  if by == secret and tonumber(ends) > now then
    return {'OK'}
  end
  local head = load(key)
  if not head or head.owner ~= owner or head.secret ~= secret then
    return {'LOST'}
  end
  if ARGV[8] then
    local next = {
      owner = owner, key = key, operation = '-', scope = ARGV[8], published = ARGV[9], ttl = ARGV[10],
      payload = ARGV[11],
    }
    local found = call('HMGET', name('route', owner), next.scope, '#')
    local answer = register(next, head, waiting(owner, found[1], next.published), found[2])
    if answer[1] ~= 'OK' then
      return answer
    end
  else
    purge(head)
  end
  remember(done, known[2])
  return {'OK'}
end)

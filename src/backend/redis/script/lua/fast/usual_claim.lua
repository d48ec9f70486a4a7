-- The usual claim: a message that is new for a session that waits, and that nobody has claimed.
-- ARGV: as claim.lua

repeat
  local owner, format = ARGV[2], string.format
  local entry = perform('HGET', name('route', owner), ARGV[3])
  local order, key = string.match(type(entry) == 'string' and entry or '', '^([0-9]+):(.*)$')
  if not key or perform('HEXISTS', name('done', owner), ARGV[5]) ~= 0 then
    break
  end
  local meta = name('meta', key)
  local record, payload = perform('GET', meta), perform('GET', name('session', key))
  local revision, created, deadline, flags, operation, scope, mine, since, attempt, secret, _, fencing, released, whose =
    string.match(type(record) == 'string' and record or '', RECORD)
  if mine ~= order or whose ~= owner or secret ~= '-' or type(payload) ~= 'string' or payload == '' then
    break
  end
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2]
  attempt = format('%.0f', math.min(attempt + 1, 4294967295))
  record = '1 ' .. revision .. ' ' .. created .. ' ' .. deadline .. ' ' .. flags .. ' ' .. operation .. ' ' .. scope .. ' ' .. order
    .. ' ' .. since .. ' ' .. attempt .. ' ' .. ARGV[6] .. ' ' .. format('%.0f', math.floor(micros / 1000) + ARGV[7])
    .. ' ' .. format('%.0f', math.max(fencing + 1, micros)) .. ' ' .. released .. ' ' .. owner
  local written
  if deadline == '0' then
    written = perform('SET', meta, record)
  else
    written = perform('SET', meta, record, 'PXAT', format('%.0f', deadline - 1))
  end
  if written.err then
    break
  end
  return {'OK', key, payload, record}
until true


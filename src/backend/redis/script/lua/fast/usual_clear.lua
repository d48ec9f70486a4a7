-- The usual clear: of the owner's only wait, which nobody has claimed. ARGV: as clear.lua

repeat
  local owner = ARGV[2]
  local route, due = name('route', owner), name('due', owner)
  local entry = perform('HGET', route, ARGV[3])
  local order, key = string.match(type(entry) == 'string' and entry or '', '^([0-9]+):(.*)$')
  if not key then
    break
  end
  local session, meta = name('session', key), name('meta', key)
  local record = perform('GET', meta)
  local _, _, _, flags, _, _, mine, _, _, secret, _, _, _, whose = string.match(type(record) == 'string' and record or '', RECORD)
  if mine ~= order or whose ~= owner or secret ~= '-' or (tonumber(perform('STRLEN', session)) or 0) == 0 then
    break
  end
  local stamp = string.match(flags, '^%-u(%d*)$')
  if not stamp or perform('ZCARD', due) ~= 1 or perform('HLEN', route) ~= 2 then
    break
  end
  redis.call('DEL', session, meta, route, due)
  if stamp ~= '' then
    -- As purge.lua.
    local time = redis.call('TIME')
    local now, fence = time[1] * 1000 + math.floor(time[2] / 1000), name('fence', key)
    local highest = math.max(stamp, perform('GET', fence) or 0)
    local ends = math.max(now, math.floor(highest / 1000)) + 60000
    redis.call('SET', fence, string.format('%.0f', highest), 'PXAT', string.format('%.0f', ends))
  end
  return {'OK', key, stamp}
until true


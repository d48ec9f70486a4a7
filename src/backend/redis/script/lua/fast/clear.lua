-- Fast path of ops/clear: the owner's only wait, which is not claimed and has no timeout.

repeat
  local route, expiry = name('route', owner), name('expiry', owner)
  local entry = pcall_redis('HGET', route, scope)
  local order, key = string.match(type(entry) == 'string' and entry or '', '^([0-9]+):(.*)$')
  if not key or first_sent ~= '' then
    break
  end
  local session, meta = name('session', key), name('meta', key)
  local record = pcall_redis('GET', meta)
  local $RECORD_NAMES = string.match(type(record) == 'string' and record or '', $RECORD_PATTERN)
  if record_order ~= order or record_owner ~= owner or record_secret ~= '-' or record_timeout ~= '-' or (tonumber(pcall_redis('STRLEN', session)) or 0) == 0 then
    break
  end
  local stamp = string.match(record_pointer, '^[0-9]*')
  if record_flags ~= '-u' or pcall_redis('ZCARD', expiry) ~= 1 or pcall_redis('HLEN', route) ~= 2 then
    break
  end
  local fence, highest
  if stamp ~= '' then
    -- As lib/fence.
    fence = name('fence', key)
    highest = tonumber(pcall_redis('GET', fence) or 0)
    local may_run = redis.acl_check_cmd
    if #stamp > 16 or not (highest and highest <= $MAX_NUMBER) or may_run and not may_run('SET', fence) then
      break
    end
  end
  redis.call('DEL', session, meta, route, expiry)
  if fence then
    highest = math.max(stamp, highest)
    local ends = math.max(now, math.floor(highest / 1000)) + $FENCE_LIFE
    redis.call('SET', fence, string.format('%.0f', highest), 'PXAT', string.format('%.0f', ends))
  end
  return {'OK', key, stamp}
until true

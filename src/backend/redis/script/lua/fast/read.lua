-- Fast path of ops/read: record and payload exist, and nothing else needs a look.

repeat
  local record, payload = pcall_redis('GET', name('meta', key)), pcall_redis('GET', name('session', key))
  if fence ~= '' then
    local $RECORD_NAMES = string.match(type(record) == 'string' and record or '', $RECORD_PATTERN)
    if record_owner ~= fence then
      break
    end
  end
  if type(record) == 'string' and type(payload) == 'string' and payload ~= '' then
    return {'OK', key, payload, record}
  end
until true

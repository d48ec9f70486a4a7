-- Fast path of ops/find: the scope leads to a session that waits there, without a timeout that
-- closes its wait.

repeat
  local entry = pcall_redis('HGET', name('route', owner), scope)
  local order, key = string.match(type(entry) == 'string' and entry or '', '^([0-9]+):(.*)$')
  if not key then
    break
  end
  local record = pcall_redis('GET', name('meta', key))
  local $RECORD_NAMES = string.match(type(record) == 'string' and record or '', $RECORD_PATTERN)
  if record_order ~= order or record_owner ~= owner or string.byte(record_timeout) == 99 or (tonumber(pcall_redis('STRLEN', name('session', key))) or 0) == 0 then
    break
  end
  return {'OK', key}
until true

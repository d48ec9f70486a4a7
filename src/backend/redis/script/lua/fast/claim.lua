-- Fast path of ops/claim: a new message for a session that waits on the first scope and is not claimed; or the
-- start of a flow. It declines if the lease ends after the deadline, or the wait has
-- closed.

repeat
  local format = string.format
  local entry = pcall_redis('HGET', name('route', owner), scope)
  local order, key = string.match(type(entry) == 'string' and entry or '', '^([0-9]+):(.*)$')
  if not key then
    --- @include "fast/start"
  end
  if pcall_redis('HEXISTS', name('done', owner), message) ~= 0 then
    break
  end
  local meta = name('meta', key)
  local record, payload = pcall_redis('GET', meta), pcall_redis('GET', name('session', key))
  local $RECORD_NAMES = string.match(type(record) == 'string' and record or '', $RECORD_PATTERN)
  if record_order ~= order or record_owner ~= owner or record_secret ~= '-' or type(payload) ~= 'string' or payload == '' then
    break
  end
  if #record_fencing > 16 or string.byte(record_timeout) == 99 and now - string.match(record_timeout, '[0-9]+') >= 0 then
    break
  end
  record_attempt = format('%.0f', math.min(record_attempt + 1, $MAX_ATTEMPT))
  local lease_until = now + lease
  if record_deadline ~= '0' and lease_until > tonumber(record_deadline) then
    break
  end
  record_secret, record_message, record_lease_until = secret, message, format('%.0f', lease_until)
  record_claimed_by = claimed_by
  record_fencing = format('%.0f', math.max(record_fencing + 1, micros))
  record = $RECORD_TEXT
  local written
  if record_deadline == '0' then
    written = pcall_redis('SET', meta, record)
  else
    written = pcall_redis('SET', meta, record, 'PXAT', format('%.0f', record_deadline - 1))
  end
  if written.err then
    break
  end
  return {'OK', key, payload, record}
until true

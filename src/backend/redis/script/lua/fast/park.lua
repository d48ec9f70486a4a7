-- Fast path of ops/park: the scope is free or the session's own, there is no claim, and no key of 1.2.

repeat
  local session, meta, format, done = name('session', key), name('meta', key), string.format, nil
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2]
  local now = math.floor(micros / 1000)
  local instant, entry = time[1] .. format('%03d', now % 1000), false
  -- On a Cluster a reservation may have ended: lib/reservation.
  if reservation ~= '' and micros > tonumber(string.match(reservation, '^%d+')) then
    break
  end
  local record = pcall_redis('GET', meta)
  local $RECORD_NAMES = string.match(type(record) == 'string' and record or '', $RECORD_PATTERN)
  if record_owner then
    local flags = reservation == '' and '-u' or string.gsub(reservation, '^%d+=', '-u')
    if record_owner ~= owner or record_flags ~= flags or record_operation == operation or record_scope ~= scope or record_secret ~= '-' then
      break
    end
    if if_absent == '1' or (tonumber(pcall_redis('STRLEN', session)) or 0) == 0 then
      break
    end
    record_revision, entry = format('%.0f', record_revision + 1), record_order .. ':' .. key
  else
    -- On a Cluster the session gets the stamp of its pointer, and a fence may refuse it: lib/reservation.
    local stamp = reservation == '' and '' or string.match(reservation, '^%d+%+(%d+)$')
    if record or not stamp or string.find(owner, '%2D:', 1, true)
      or pcall_redis('EXISTS', session, name('waits:scope', owner .. ':' .. legacy_scope)) ~= 0
    then
      break
    end
    local fence = stamp ~= '' and pcall_redis('GET', name('fence', key))
    if fence and (type(fence) ~= 'string' or tonumber(stamp) <= tonumber(fence)) then
      break
    end
    record_revision, record_created, record_flags, record_fencing = '1', instant, '-u' .. stamp, '0'
  end
  record_operation = operation
  local answer, known = record_revision, nil

  --- @include "fast/wait"
until true

-- Fast path of ops/park: the scope is free or the session's own, there is no claim, and no key of 1.2.

repeat
  local session, meta, format, done = name('session', key), name('meta', key), string.format, nil
  local instant, entry, found = time[1] .. format('%03d', now % 1000), false, nil
  local record = pcall_redis('GET', meta)
  local $RECORD_NAMES = string.match(type(record) == 'string' and record or '', $RECORD_PATTERN)

  --- @include "fast/ttl"
  --- @include "fast/reserved"
  if record_owner then
    if sign and (sign ~= '=' or stamp ~= string.match(record_pointer, '^[0-9]*')) then
      break
    end
    if record_owner ~= owner or record_flags ~= '-u' or record_operation == operation or record_scope ~= scope or record_secret ~= '-' then
      break
    end
    if if_absent == '1' or #record_revision > 16 or (tonumber(pcall_redis('STRLEN', session)) or 0) == 0 then
      break
    end
    record_revision, entry = format('%.0f', record_revision + 1), record_order .. ':' .. key
  else
    if record or sign == '=' or string.find(owner, '%2D:', 1, true)
      or pcall_redis('EXISTS', session, name('waits:scope', owner .. ':' .. legacy_scope)) ~= 0
    then
      break
    end
    record_revision, record_created, record_flags, record_fencing, record_timeout = '1', instant, '-u', '0', '-'
  end
  record_operation, record_pointer = operation, pointer or '-'
  local answer, known = record_revision, nil

  --- @include "fast/wait"
until true

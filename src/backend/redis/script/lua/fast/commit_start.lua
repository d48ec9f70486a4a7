-- Fast path of ops/commit_start: a new message of the worker that holds the start claim, without a reply, and the
-- session waits on the scope where the start was claimed.

repeat
  local session, meta, format, done = name('session', key), name('meta', key), string.format, name('done', owner)
  local known = pcall_redis('HMGET', done, message, '#')
  if not scope or reply or known[1] ~= false or (tonumber(pcall_redis('HLEN', done)) or math.huge) > limit + math.floor(limit / 64) then
    break
  end
  if scope ~= '' and scope ~= start_scope or string.find(owner, '%2D:', 1, true) then
    break
  end
  local found = pcall_redis('HMGET', name('route', owner), start_scope, '#')
  local entry = found[1]
  local $START_NAMES = string.match(type(entry) == 'string' and entry or '', $START_PATTERN)
  if start_key ~= key or start_secret ~= secret or start_message ~= message or reservation == '!' or #start_deadline > 16 or start_deadline - now <= 0 then
    break
  end
  --- @include "fast/reserved"
  if sign == '=' or pcall_redis('EXISTS', session, meta, name('waits:scope', owner .. ':' .. legacy_scope)) ~= 0 then
    break
  end
  scope = start_scope
  local instant = time[1] .. format('%03d', now % 1000)
  local record, answer, max_waits = nil, nil, nil
  local $RECORD_NAMES
  record_revision, record_created, record_flags, record_fencing = '1', instant, '-u', start_fencing
  record_operation, record_pointer, record_deadline, record_timeout = '-', pointer or '-', start_deadline, '-'

  --- @include "fast/wait"
until true

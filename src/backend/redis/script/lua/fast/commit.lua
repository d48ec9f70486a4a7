-- Fast path of ops/commit: a new message of the worker that holds the claim, without a reply, and the session
-- waits again on the same scope.

repeat
  local session, meta, format, done = name('session', key), name('meta', key), string.format, name('done', owner)
  local known = pcall_redis('HMGET', done, message, '#')
  if not scope or reply or known[1] ~= false or (tonumber(pcall_redis('HLEN', done)) or math.huge) > limit + math.floor(limit / 64) then
    break
  end
  local record = pcall_redis('GET', meta)
  local $RECORD_NAMES = string.match(type(record) == 'string' and record or '', $RECORD_PATTERN)
  if record_owner ~= owner or record_secret ~= secret or record_message ~= message or scope ~= '' and record_scope ~= scope or #record_revision > 16 or (tonumber(pcall_redis('STRLEN', session)) or 0) == 0 then
    break
  end

  --- @include "fast/ttl"
  local answer, pointer_ends = string.match(record_pointer, '^([0-9]*)[:-]([0-9]*)')
  -- lib/reservation: the pointer must outlive the session.
  local is_covered = pointer_ends == '0' or ttl ~= '' and now + ttl <= (tonumber(pointer_ends) or 0) - $POINTER_SLACK
  if record_flags ~= '-u' or extended ~= '' or not answer or answer ~= '' and not is_covered then
    break
  end
  scope = record_scope
  local instant, entry, found = format('%.0f', now), record_order .. ':' .. key, nil
  record_revision = format('%.0f', record_revision + 1)

  --- @include "fast/wait"
until true

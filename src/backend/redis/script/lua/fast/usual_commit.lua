-- The usual commit: of a new message, by the worker whose claim it is, and the session waits again where
-- it did. usual_wait.lua goes on. ARGV: as commit.lua

repeat
  local owner, key, secret, scope, ttl, payload = ARGV[2], ARGV[3], ARGV[5], ARGV[8], ARGV[10], ARGV[12]
  local session, meta, format, done = name('session', key), name('meta', key), string.format, name('done', owner)
  local known = perform('HMGET', done, ARGV[4], '#')
  if not scope or known[1] ~= false or perform('HLEN', done) > ARGV[7] + math.floor(ARGV[7] / 64) then
    break
  end
  local record = perform('GET', meta)
  local revision, created, ended, flags, operation, waits, order, _, _, held, _, fencing, _, whose =
    string.match(type(record) == 'string' and record or '', RECORD)
  if whose ~= owner or held ~= secret or waits ~= scope or (tonumber(perform('STRLEN', session)) or 0) == 0 then
    break
  end
  local answer = string.match(flags, '^%-u(%d*)$')
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2]
  local now = math.floor(micros / 1000)
  local is_later = ended ~= '0' and (ttl == '' or now + ttl > tonumber(ended))
  if not answer or is_later and ARGV[11] ~= '' and now > tonumber(ARGV[11]) then
    break
  end
  local instant, entry = format('%.0f', now), order .. ':' .. key
  revision = format('%.0f', revision + 1)


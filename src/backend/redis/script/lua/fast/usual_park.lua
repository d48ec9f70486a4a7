-- The usual park: the scope is free or the session's own, nobody has claimed it, and nothing of 1.2 is
-- there. usual_wait.lua goes on. ARGV: as park.lua

repeat
  local owner, key, scope, ttl, operation, payload, seal = ARGV[2], ARGV[3], ARGV[4], ARGV[6], ARGV[7], ARGV[9], ARGV[10]
  local session, meta, format, done = name('session', key), name('meta', key), string.format, nil
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2]
  local now = math.floor(micros / 1000)
  local instant, entry = time[1] .. format('%03d', now % 1000), false
  -- On a Cluster a seal may be over: seal.lua.
  if seal ~= '' and micros > tonumber(string.match(seal, '^%d+')) then
    break
  end
  local record = perform('GET', meta)
  local revision, created, ended, flags, by, waits, order, _, _, secret, _, fencing, _, whose =
    string.match(type(record) == 'string' and record or '', RECORD)
  if whose then
    local mine = seal == '' and '-u' or string.gsub(seal, '^%d+=', '-u')
    if whose ~= owner or flags ~= mine or by == operation or waits ~= scope or secret ~= '-' then
      break
    end
    if ARGV[8] == '1' or (tonumber(perform('STRLEN', session)) or 0) == 0 then
      break
    end
    revision, entry = format('%.0f', revision + 1), order .. ':' .. key
  else
    -- On a Cluster a stamp is the pointer's, and a fence may refuse it: seal.lua.
    local stamp = seal == '' and '' or string.match(seal, '^%d+%+(%d+)$')
    if record or not stamp or string.find(owner, '%2D:', 1, true)
      or perform('EXISTS', session, name('waits:scope', owner .. ':' .. ARGV[5])) ~= 0
    then
      break
    end
    local fence = stamp ~= '' and perform('GET', name('fence', key))
    if fence and (type(fence) ~= 'string' or tonumber(stamp) <= tonumber(fence)) then
      break
    end
    revision, created, flags, fencing = '1', instant, '-u' .. stamp, '0'
  end
  local answer, known = revision, nil


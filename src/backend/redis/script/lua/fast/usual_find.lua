-- The usual find: the scope leads to a session that waits there. ARGV: as find.lua

repeat
  local owner = ARGV[2]
  local entry = perform('HGET', name('route', owner), ARGV[3])
  local order, key = string.match(type(entry) == 'string' and entry or '', '^([0-9]+):(.*)$')
  if not key then
    break
  end
  local record = perform('GET', name('meta', key))
  local _, _, _, _, _, _, mine, _, _, _, _, _, _, whose = string.match(type(record) == 'string' and record or '', RECORD)
  if mine ~= order or whose ~= owner or (tonumber(perform('STRLEN', name('session', key))) or 0) == 0 then
    break
  end
  return {'OK', key}
until true


-- What most reads find: record and payload are there, and nothing else is to be looked at. It stands
-- before the rest, because a script makes its functions anew each time that it runs.
-- ARGV: base, session key

do
  local key = ARGV[2]
  local record = redis.pcall('GET', name('meta', key))
  local payload = redis.pcall('GET', name('session', key))
  if type(record) == 'string' and type(payload) == 'string' and payload ~= '' then
    return {'OK', key, payload, record}
  end
end


-- The usual read: record and payload are there, and nothing else is to be looked at.
-- ARGV: base, session key

do
  local key = ARGV[2]
  local record, payload = perform('GET', name('meta', key)), perform('GET', name('session', key))
  if type(record) == 'string' and type(payload) == 'string' and payload ~= '' then
    return {'OK', key, payload, record}
  end
end


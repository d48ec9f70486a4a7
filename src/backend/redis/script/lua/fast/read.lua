-- Fast path of ops/read: record and payload exist, and nothing else needs a look.

do
  local record, payload = pcall_redis('GET', name('meta', key)), pcall_redis('GET', name('session', key))
  if type(record) == 'string' and type(payload) == 'string' and payload ~= '' then
    return {'OK', key, payload, record}
  end
end

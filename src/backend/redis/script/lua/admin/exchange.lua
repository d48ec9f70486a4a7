-- Replaces the stored data of a session with another form of the same data, if it is still as it was read. Nothing
-- else of the session changes, and a claim goes on.

--- @include "lib/prelude"

return run(function()
  -- `expected` is what the data begins with, and `size` how long it is: no other data has the same.
  local key, expected, size, payload = unpack(ARGV, 2)
  local session = name('session', key)
  -- A session of 1.2 without a record is known by its data in clear.
  if call('EXISTS', name('meta', key)) == 0 or text(call('STRLEN', session)) ~= size then
    return {'NOT_FOUND'}
  end
  if call('GETRANGE', session, 0, #expected - 1) ~= expected then
    return {'NOT_FOUND'}
  end
  write('SET', session, payload, 'KEEPTTL')
  return {'OK'}
end)

-- Replaces a stored reply with another form of the same reply, if it is still as it was read.

--- @include "lib/messages"

return run(function()
  local owner, message, expected, reply = unpack(ARGV, 2)
  local done, replies = name('done', owner), name('replies', owner)
  local _, _, field = read_message(done, call('HGET', done, message))
  if not field or field == '' or call('HGET', replies, field) ~= expected then
    return {'NOT_FOUND'}
  end
  write('HSET', replies, field, reply)
  return {'OK'}
end)

--- @include "lib/messages"

return run(function()
  -- Behind them stands for each message its digest, the end of its window, and its reply behind a `+`, or
  -- nothing.
  local owner, window, limit = unpack(ARGV, 2, 4)
  local done, replies = name('done', owner), name('replies', owner)
  local newest = read_newest(done, call('HGET', done, '#'))
  local added = {}
  for i = 5, #ARGV, 3 do
    local message, ends, reply = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
    local known, _, stored = read_message(done, call('HGET', done, message))
    if ends > now and ends > (known or 0) then
      -- It is as old as the end of its window says, and behind the messages before it.
      local since = math.min(math.max(ends - window, 0) * 1000, micros - #ARGV) + i
      local kept = known and known > now and stored ~= '' and call('HGET', replies, stored)
      table.insert(added, {
        field = message, ends = ends, since = since, by = '-', replaced = stored,
        reply = kept or reply ~= '' and string.sub(reply, 2) or nil,
      })
    end
  end
  if #added > 0 then
    remember(done, replies, tonumber(limit), newest, added)
  end
  return {'OK'}
end)

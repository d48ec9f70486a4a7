--- @include "lib/messages"

return run(function()
  -- Behind them stands for each message its digest and the end of its window.
  local owner, window, limit = unpack(ARGV, 2, 4)
  local done = name('done', owner)
  local newest = read_newest(done, call('HGET', done, '#'))
  local added = {}
  for i = 5, #ARGV, 2 do
    local message, ends = ARGV[i], tonumber(ARGV[i + 1])
    local known = read_message(done, call('HGET', done, message)) or 0
    if ends > now and ends > known then
      -- It is as old as the end of its window says, and behind the messages before it.
      local since = math.min(math.max(ends - window, 0) * 1000, micros - #ARGV) + i
      table.insert(added, {field = message, ends = ends, since = since, by = '-'})
    end
  end
  if #added > 0 then
    remember(done, tonumber(limit), newest, added)
  end
  return {'OK'}
end)

-- Compares a page of the due index with the waits that it leads to, and repairs it if asked to (C23).

--- @include "lib/delete_session"
--- @include "lib/if_readable"

local repair, cursor = unpack(ARGV, 2)

--- @include "lib/findings"

-- How many members a page has, about.
local PAGE = 100

-- What has ended is due, and leaves the index with the next claim: no fault.
local function check_member(member, at)
  local owner, key, start = parts_of(member)
  local is_read, head = true, nil
  if owner then
    base = start
    is_read, head = if_readable(load, key)
  end
  local is_timed = head and head.owner == owner and head.timeout ~= '-'
  if is_read and not is_timed and (head or not owner or at > now) then
    report('DANGLING', 'due', key, 'no wait has the timeout', function()
      write('ZREM', due, member)
    end)
  end
end

return run(function()
  if repair ~= '1' then
    delete_session = nil -- so that `load` deletes nothing
  end
  report_unreadable(due, function()
    local page = call('ZSCAN', due, cursor, 'COUNT', PAGE)
    cursor = page[1]
    for i = 1, #page[2], 2 do
      check_member(page[2][i], tonumber(page[2][i + 1]))
    end
  end)
  return {'OK', findings, #findings > 0 and findings[1][1] == 'UNREADABLE' and '0' or cursor}
end)

-- Lists an owner's waits: one page. Those of 1.2 come first.

--- @include "lib/list"

-- How many members of a set of 1.2 a page looks at: their payloads are decoded.
local LEGACY_PAGE = 16

-- The server numbers its cursors by a hash of its own, so another server cannot go on with them.
local function run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
end

return run(function()
  -- The cursor is empty for the first page. It names what is listed, the position, the latest deadline of
  -- the legacy sessions so far, and the server.
  local owner, cursor = unpack(ARGV, 2)
  local part, position, latest, server = string.match(cursor, '^(%a+) (%d+) (%S+) (%w*)$')
  if server and server ~= run_id() then
    return {'AGAIN'}
  end
  local waits = {}
  if part ~= 'route' then
    local set = name('waits:user', legacy_owner(owner))
    if part or call('SCARD', set) > 0 then
      local page = call('SSCAN', set, position or 0, 'COUNT', LEGACY_PAGE)
      latest = append_legacy(waits, owner, page[2], tonumber(latest or -2))
      if page[1] ~= '0' then
        return {'OK', table.concat({'legacy', page[1], text(latest), run_id()}, ' '), waits}
      end
      expire_legacy(owner, latest)
    end
    local entries, are_all = first_entries(owner, PAGE)
    if are_all then
      append_waiting(waits, owner, entries)
      return {'OK', '', waits}
    end
  end
  -- More than one page. What is over is in the way, so it is removed.
  local route, expiry = name('route', owner), name('expiry', owner)
  local passed = call('ZRANGEBYSCORE', expiry, '-inf', now, 'LIMIT', 0, PAGE)
  if #passed > 0 then
    write('ZREM', expiry, unpack(passed))
    write('HDEL', route, unpack(passed))
  end
  local page, entries = call('HSCAN', route, part == 'route' and position or 0, 'COUNT', PAGE), {}
  for i = 2, #page[2], 2 do
    table.insert(entries, page[2][i])
  end
  append_waiting(waits, owner, entries)
  return {'OK', page[1] ~= '0' and table.concat({'route', page[1], '0', run_id()}, ' ') or '', waits}
end)

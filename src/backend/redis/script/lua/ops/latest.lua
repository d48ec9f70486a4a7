-- Reads the session of an owner: its only wait, or else the session that was created last (C6).

--- @include "lib/list"

-- How many entries are looked at. Two decide, unless some lead to no session.
local FEW = 16

-- The only wait of the owner, if there is one; or the answer if that is not it.
local function only_wait(owner)
  local waits, set = {}, name('waits:user', legacy_owner(owner))
  local members = call('SCARD', set)
  if members > FEW then
    return nil, {'AGAIN'}
  end
  if members > 0 then
    expire_legacy(owner, append_legacy(waits, owner, call('SMEMBERS', set), -2))
  end
  local entries, are_all = first_entries(owner, FEW)
  append_waiting(waits, owner, entries)
  if #waits > 2 then
    return nil, {'MANY'}
  end
  return waits[2], not are_all and {'AGAIN'} or nil
end

return run(function()
  -- `sees` is `waits`, `created` or `both`. The answer `AGAIN` leaves the waits to a list in pages.
  local owner, sees = unpack(ARGV, 2)
  local key, answer
  if sees ~= 'created' then
    key, answer = only_wait(owner)
  end
  if answer then
    return answer
  end
  key = key or sees ~= 'waits' and call('GET', name('user', owner))
  local head = key and load(key, true)
  if not head or head.owner ~= owner then
    return {'NONE'}
  end
  return {'OK', head.key, head.payload, pack_record(head)}
end)

-- Reads the session of an owner: its only wait, or else the session that was created last (C6).

--- @include "lib/list"

return run(function()
  -- `sees` is `created`, or `waits` if only waits count.
  local owner, sees = unpack(ARGV, 2)
  local keys = waiting_keys(owner)
  if #keys > 1 then
    return {'MANY'}
  end
  local key = keys[1] or sees == 'created' and call('GET', name('user', owner))
  local head = key and load(key, true)
  if not head or head.owner ~= owner then
    return {'NONE'}
  end
  return {'OK', head.key, head.payload, pack_record(head)}
end)

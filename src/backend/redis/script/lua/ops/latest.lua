-- C6: the one wait, else the session that was created last if `created` is seen, not `waits` alone.
-- ARGV: base, owner, created or waits

return run(function()
  local owner = ARGV[2]
  local keys = waiting_keys(owner)
  if #keys > 1 then
    return {'MANY'}
  end
  local key = keys[1] or ARGV[3] == 'created' and call('GET', name('user', owner))
  local head = key and load(key, true)
  if not head or head.owner ~= owner then
    return {'NONE'}
  end
  return {'OK', head.key, head.payload, pack_record(head)}
end)

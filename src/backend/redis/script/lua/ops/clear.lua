-- ARGV: base, owner, scope, scope as 1.2 hashed it

return run(function()
  local entry = call('HGET', name('route', ARGV[2]), ARGV[3])
  local head = waiting(ARGV[2], entry, ARGV[4])
  if not head then
    return {'NO_WAIT'}
  end
  local busy = claimed_until(head)
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  purge(head, ARGV[4])
  return {'OK', head.key, stamp_of(head)}
end)

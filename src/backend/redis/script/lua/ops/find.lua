-- ARGV: base, owner, scope, scope as 1.2 hashed it

return run(function()
  local entry = call('HGET', name('route', ARGV[2]), ARGV[3])
  local head = waiting(ARGV[2], entry, ARGV[4])
  return head and {'OK', head.key} or {'NONE'}
end)

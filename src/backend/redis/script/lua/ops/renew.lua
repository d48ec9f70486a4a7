-- ARGV: base, owner, session key, secret, lease

return run(function()
  tick()
  local head = load(ARGV[3])
  if not head or head.owner ~= ARGV[2] or head.secret ~= ARGV[4] then
    return {'LOST'}
  end
  head.lease_until = now + ARGV[5]
  write_record(head)
  return {'OK', text(head.lease_until)}
end)

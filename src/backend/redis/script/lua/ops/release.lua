-- ARGV: base, owner, session key, secret

return run(function()
  local head = load(ARGV[3])
  if not head or head.owner ~= ARGV[2] then
    return {'LOST'}
  end
  if head.released == ARGV[4] then
    return {'OK'}
  end
  if head.secret ~= ARGV[4] then
    return {'LOST'}
  end
  head.secret, head.lease_until, head.released = '-', 0, ARGV[4]
  write_record(head)
  return {'OK'}
end)

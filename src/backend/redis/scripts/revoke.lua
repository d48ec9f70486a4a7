-- C25: takes a claim from its worker. ARGV: base, session key

return run(function()
  local head = load(ARGV[2])
  if not head then
    return {'NOT_FOUND'}
  end
  if head.secret == '-' then
    return {'NOT_CLAIMED'}
  end
  local ends = head.lease_until
  head.secret, head.lease_until = '-', 0
  write_record(head, head.deadline)
  return {'OK', text(ends), head.attempt}
end)

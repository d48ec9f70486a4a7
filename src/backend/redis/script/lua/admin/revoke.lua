-- C25: takes a claim from its worker. ARGV: base, session key, operation

return run(function()
  local head = load(ARGV[2])
  if not head then
    return {'NOT_FOUND'}
  end
  -- A repeat must not take the claim that somebody made since: the operation stands where a token
  -- that was given back does.
  if head.secret == '-' or head.released == ARGV[3] then
    return {'NOT_CLAIMED'}
  end
  local ends = head.lease_until
  head.secret, head.lease_until, head.released = '-', 0, ARGV[3]
  write_record(head)
  return {'OK', text(ends), head.attempt}
end)

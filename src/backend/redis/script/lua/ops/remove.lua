-- ARGV: base, session key, revision or empty

return run(function()
  local head = load(ARGV[2])
  if not head then
    return {'NOT_FOUND'}
  end
  local busy = claimed_until(head)
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  if ARGV[3] ~= '' and ARGV[3] ~= head.revision then
    return {'MOVED', head.revision}
  end
  purge(head)
  return {'OK', stamp_of(head)}
end)

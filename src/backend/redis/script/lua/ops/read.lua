-- ARGV: base, session key

return run(function()
  local head = load(ARGV[2], true)
  return head and {'OK', head.key, head.payload, pack_record(head)} or {'NONE'}
end)

-- ARGV: base, owner

return run(function()
  return {'OK', waiting_keys(ARGV[2])}
end)

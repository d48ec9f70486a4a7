-- Before a pointer is taken from an owner: if the session is not there, no call writes it any more for a
-- pointer of that stamp or an earlier one. ARGV: base, session key, stamp

return run(function()
  if call('EXISTS', name('session', ARGV[2])) == 1 then
    return {'OK'}
  end
  fence_off(ARGV[2], ARGV[3])
  return {'NONE'}
end)

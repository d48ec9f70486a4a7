-- Before a pointer is taken from an owner: if the session is not there, no call writes it any more for a
-- pointer of that stamp or an earlier one. ARGV: base, session key, stamp, how long that holds

return run(function()
  local fence = name('fence', ARGV[2])
  if call('EXISTS', name('session', ARGV[2])) == 1 then
    return {'OK'}
  end
  local stamp = math.max(ARGV[3], call('GET', fence) or 0)
  call('SET', fence, text(stamp), 'PX', ARGV[4])
  return {'NONE'}
end)

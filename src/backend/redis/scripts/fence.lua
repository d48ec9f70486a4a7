-- Before a pointer is taken from an owner: if the session is not there, no call writes it any more for a
-- pointer of that stamp or an earlier one. ARGV: base, session key, stamp, how long that holds from the stamp
-- on or from now on: after that the write is too late by its own seal (seal.lua)

return run(function()
  local fence = name('fence', ARGV[2])
  if call('EXISTS', name('session', ARGV[2])) == 1 then
    return {'OK'}
  end
  local stamp = math.max(ARGV[3], call('GET', fence) or 0)
  tick()
  call('SET', fence, text(stamp), 'PXAT', text(math.max(now, math.floor(stamp / 1000)) + ARGV[4]))
  return {'NONE'}
end)

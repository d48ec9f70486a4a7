-- On a Cluster: refuses a call whose pointer may not be there any more. The seal is until when the session
-- may be written, in microseconds, and behind a sign the stamp of its pointer. A call that found its pointer
-- (`=`) needs the session to bear that stamp, any other (`+`) needs it not to be fenced off since. A refusal
-- tells the time of this node, or up to which stamp calls are refused. The seal is empty where there are no
-- pointers.
local function stale(stored, key, seal)
  if seal == '' then
    return nil
  end
  local ends, how, stamp = string.match(seal, '^(%d+)([=+])(%d+)$')
  if micros > tonumber(ends) then
    return {'LATE', text(micros)} -- the pointer may have been removed meanwhile, and its fence be over
  end
  if how == '=' and not (stored and stamp_of(stored) == stamp) then
    return {'STALE', '0'}
  end
  local fence = how == '+' and call('GET', name('fence', key))
  return fence and tonumber(stamp) <= tonumber(fence) and {'STALE', fence} or nil
end

-- On a Cluster: refuses a call whose pointer may not be there any more. A call that found its pointer
-- (`=stamp`) needs the session to bear that stamp, one that wrote it (`+stamp`) needs it not to be fenced
-- off since. Empty where there are no pointers.
local function stale(stored, key, seal)
  if seal == '' then
    return nil
  end
  local how, stamp = string.match(seal, '^([=+])(%d+)$')
  if how == '=' and not (stored and stamp_of(stored) == stamp) then
    return {'STALE', '0'}
  end
  local fence = how == '+' and call('GET', name('fence', key))
  return fence and tonumber(stamp) <= tonumber(fence) and {'STALE', fence} or nil
end

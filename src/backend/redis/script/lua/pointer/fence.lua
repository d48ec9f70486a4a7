-- Runs before a pointer is taken from an owner. If the session is missing, no call writes it from now on
-- for a pointer with that stamp or an earlier one.

--- @include "lib/fence"

return run(function()
  local key, stamp = unpack(ARGV, 2)
  if call('EXISTS', name('session', key)) == 1 then
    return {'OK'}
  end
  fence_off(key, stamp)
  return {'NONE'}
end)

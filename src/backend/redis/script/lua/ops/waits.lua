-- Lists an owner's waits.

--- @include "lib/list"

return run(function()
  local owner = unpack(ARGV, 2)
  return {'OK', waiting_keys(owner)}
end)

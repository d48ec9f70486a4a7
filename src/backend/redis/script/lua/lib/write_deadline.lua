-- The write deadline, which each script that writes checks before all else (C14).

--- @include "lib/clock"

-- The last argument is the instant up to which the call may be carried out, in microseconds. Later its caller
-- may have been told how it ended, so a request that arrives late changes nothing.
local count = #ARGV
if micros - ARGV[count] > 0 then
  return {err = 'LATE ' .. string.format('%.0f', micros)}
end
ARGV[count] = nil

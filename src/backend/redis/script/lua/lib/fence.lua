-- Fences, on a Cluster.

--- @include "lib/prelude"

-- From now on no call writes the session for a pointer with that stamp or an earlier one. The fence ends
-- after a minute: by then the reservation of such a call has ended.
local function fence_off(key, stamp)
  local fence = name('fence', key)
  local highest = math.max(stamp, call('GET', fence) or 0)
  call('SET', fence, text(highest), 'PXAT', text(math.max(now, math.floor(highest / 1000)) + 60000))
end

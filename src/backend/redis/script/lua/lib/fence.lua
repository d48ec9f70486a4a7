-- Fences, on a Cluster.

--- @include "lib/prelude"

-- From now on no call writes the session for a pointer with that stamp or an earlier one. The fence ends
-- after a minute: by then the reservation of such a call has ended.
local function fence_off(key, stamp)
  local fence = name('fence', key)
  local known = tonumber(call('GET', fence) or 0)
  if not (known and known <= MAX_NUMBER) then
    unreadable(fence, 'it is no stamp')
  end
  local highest = math.max(stamp, known)
  write('SET', fence, text(highest), 'PXAT', text(math.max(now, math.floor(highest / 1000)) + $FENCE_LIFE))
end

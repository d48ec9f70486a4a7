-- Reservations of a session key, on a Cluster: a call that writes a session has reserved the key with a
-- pointer before.

--- @include "lib/record"

-- Refuses a call whose pointer may no longer exist; returns nil for a call that may write. The
-- reservation is the instant until which the session may be written, in microseconds, a sign, and the
-- stamp of the pointer. It is empty where there are no pointers. A call that found its pointer (`=`)
-- needs the session to have that stamp. A call that created it (`+`) needs that no fence covers the
-- stamp. A refusal contains the time of this node, or the stamp up to which calls are refused.
local function refuse_stale(stored, key, reservation)
  if reservation == '' then
    return nil
  end
  local ends, sign, stamp = string.match(reservation, '^(%d+)([=+])(%d+)$')
  if micros > tonumber(ends) then
    return {'LATE', text(micros)} -- the pointer may have been deleted since, and the fence may have ended
  end
  if sign == '=' and not (stored and stamp_of(stored) == stamp) then
    return {'STALE', '0'}
  end
  local fence = sign == '+' and call('GET', name('fence', key))
  return fence and tonumber(stamp) <= tonumber(fence) and {'STALE', fence} or nil
end

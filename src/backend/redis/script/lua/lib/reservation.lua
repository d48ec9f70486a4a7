-- What a session's node knows of the session's pointer, on a Cluster. It is `stamp:ends:confirmed` in the
-- record, and `-` where there are no pointers.

--- @include "lib/record"

-- The latest deadline that a session may get before its pointer is extended. The clocks of two nodes differ
-- by less than half an hour.
local function covered_until(pointer)
  local ends = string.match(pointer, '^[0-9]+:([0-9]+):')
  return ends and ends ~= '0' and ends - $POINTER_SLACK or NEVER
end

-- What the record of a session will hold of the pointer that a call has reserved.
local function pointer_in(reservation)
  return string.match(reservation, '[=+](.*)$') or '-'
end

-- Refuses a call that has reserved the key, if its pointer may no longer exist or ends too early; returns nil
-- for a call that may write. The reservation is a sign and the pointer; it is empty where there are no
-- pointers. A call that found its pointer (`=`) needs the session to have that stamp. A call that created it
-- (`+`) needs that no fence covers the stamp. A refusal contains the instant or the stamp above which the
-- next reservation is made.
local function refuse(stored, key, reservation, deadline)
  if reservation == '' then
    return nil
  end
  local sign, stamp = string.match(reservation, '^([=+])([0-9]+):')
  if sign == '=' and not (stored and stamp_of(stored) == stamp) then
    return {'STALE', '0'}
  end
  local fence = sign == '+' and call('GET', name('fence', key))
  if fence and not tonumber(fence) then
    unreadable(name('fence', key), 'it is no stamp')
  end
  if fence and tonumber(stamp) <= tonumber(fence) then
    return {'STALE', fence}
  end
  return deadline > covered_until(pointer_in(reservation)) and {'EXTEND_POINTER', text(micros)} or nil
end

-- Takes over what a call knows of the pointer, if the session is still the one for which it was asked.
-- `extended` is empty, or the stamp in its record, then `=` and the pointer, or `!` if another owner has it.
-- Returns the sign.
local function adopt(head, extended)
  local stamp, sign, pointer = string.match(extended, '^([0-9]*)([=!])(.*)$')
  if stamp ~= stamp_of(head) then
    return nil
  end
  if sign == '=' then
    head.pointer = pointer
  end
  return sign
end

-- The deadline that a session gets instead of one that its pointer does not cover; nil, and a refusal, if the
-- pointer must be extended before.
local function cover(head, deadline, extended)
  local sign = adopt(head, extended)
  local limit = covered_until(head.pointer)
  if deadline <= math.max(limit, head.deadline) then
    return deadline
  end
  if sign == '!' then
    return limit + $POINTER_SLACK
  end
  return nil, {'EXTEND_POINTER', text(micros), stamp_of(head)}
end

-- On a Cluster a call that writes a session key has reserved it, as lib/reservation. It declines if the
-- pointer ends too early, or a fence covers a pointer that the call has created.

  local sign, pointer, stamp, pointer_ends = string.match(reservation, '^([=+])(([0-9]+):([0-9]+).*)$')
  if sign and pointer_ends ~= '0' and (ttl == '' or now + ttl > pointer_ends - $POINTER_SLACK) then
    break
  end
  local fence = sign == '+' and pcall_redis('GET', name('fence', key))
  if fence and (type(fence) ~= 'string' or not tonumber(fence) or tonumber(stamp) <= tonumber(fence)) then
    break
  end

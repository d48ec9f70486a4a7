-- On a Cluster: no call writes the session any more for a pointer of that stamp or an earlier one. It holds
-- for a minute, after which such a call is too late by its own seal.
local function fence_off(key, stamp)
  if not now then
    tick()
  end
  local fence = name('fence', key)
  local highest = math.max(stamp, call('GET', fence) or 0)
  call('SET', fence, text(highest), 'PXAT', text(math.max(now, math.floor(highest / 1000)) + 60000))
end

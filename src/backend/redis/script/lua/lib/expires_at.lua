-- When a key expires.

--- @include "lib/prelude"

-- The instant at which a key expires; -1 for never, -2 if the key does not exist. Redis 6 has no
-- PEXPIRETIME.
local function expires_at(key)
  local at = redis.pcall('PEXPIRETIME', key)
  if type(at) == 'number' then
    return at
  end
  local left = call('PTTL', key)
  if left < 0 then
    return left
  end
  return now + left
end

-- The pointer of a session key, on a Cluster: `stamp owner`. The stamp is the instant at which the pointer
-- was created, in microseconds. docs/redis-layout.md describes the key.

--- @include "lib/clock"

local pointer = KEYS[1]
local stored = redis.pcall('GET', pointer)
local stamp, owner
if type(stored) == 'table' and not string.find(stored.err, 'WRONGTYPE', 1, true) then
  return stored -- a refused command, for example
end
if stored then
  stamp, owner = string.match(type(stored) == 'string' and stored or '', '^([0-9]+) (.*)$')
  if not owner or #stamp > 16 then
    return {'UNREADABLE', pointer, 'it is no pointer'}
  end
end

-- Start claims (C27). Where no session waits, the field of a scope in {route} may be the record of a start
-- claim: it begins with `@`, and its scope is in {expiry} with the instant until which it is kept. A record
-- that was read is a table like a head, with the fields of the record, `owner`, `scope` and `entry`.

--- @include "lib/index"

-- The start claim in the field of a scope; nil if there is none, or none any more.
local function start_in(owner, scope, entry)
  if not entry or string.byte(entry) ~= 64 then
    return nil
  end
  local $START_NAMES = string.match(entry, $START_PATTERN)
  if not start_key or #start_lease_until > 16 or #start_deadline > 16 or #start_attempt > 16 or #start_fencing > 16 then
    unreadable(name('route', owner), 'a start claim is damaged')
  end
  local start = {owner = owner, scope = scope, entry = entry, is_routed = true, $START_UNPACKED}
  return start.deadline > now and start or nil
end

-- The start claim of a token, or nil. Its secret is not compared.
local function start_of(owner, scope, key, message)
  local start = start_in(owner, scope, call('HGET', name('route', owner), scope))
  return start and start.key == key and start.message == message and start or nil
end

-- Gives a start claim its lease, and writes it to the index. Its record is kept for one more lease after
-- the end, at least a minute. `stored` is the record as it is; nil for a new one. `closed` is a session whose
-- wait has closed on the scope.
local function lease_start(start, stored, index_header, lease, closed)
  start.lease_until = now + lease
  start.deadline = start.lease_until + math.max(lease, $SHORTEST_STAY)
  start.entry = $START_PACKED
  index_wait(start, index_header, stored, stored or closed, '0', '0')
  if closed then
    leave_scope(closed)
    write_record(closed)
  end
end

-- Ends the lease of a start claim; its record stays. A full server accepts a command that needs no memory, here
-- one that removes nothing, and then the others of the script.
local function release_start(start, secret)
  local route = name('route', start.owner)
  start.secret, start.lease_until, start.released = '-', 0, secret
  write('HDEL', route, '-')
  write('HSET', route, start.scope, $START_PACKED)
end

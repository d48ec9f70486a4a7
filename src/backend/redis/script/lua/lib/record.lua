-- The record of a session. A record that was read is a table, called `head`: it has the fields of the
-- record, and `key`. Its deadline and its lease_until are numbers; all other fields are text.

--- @include "lib/prelude"

-- The stamp in what a record holds of a pointer; empty where there are no pointers.
local function stamp_in(pointer)
  return string.match(pointer, '^[0-9]*')
end

local function unpack_record(key, record)
  local $RECORD_NAMES = string.match(record, $RECORD_PATTERN)
  -- A number has 16 digits at most, so that it is exact, and the server accepts it as an expiry.
  if not record_owner or not string.find(record_flags, '^%-[ucp]*$') or #record_revision > 16 or #record_created > 16
    or #record_deadline > 16 or #record_order > 16 or #record_since > 16 or #record_attempt > 16
    or #record_lease_until > 16 or #record_fencing > 16 or #stamp_in(record_pointer) > 16
    or #record_own_deadline > 16 or #record_ttl > 16 or record_ttl ~= '-' and string.find(record_ttl, '[^0-9]')
    or #record_timeout > 28 or record_timeout ~= '-' and not string.find(record_timeout, '^[rcC][0-9]+:[0-9]+$')
  then
    unreadable(name('meta', key), 'it is no record of this version')
  end
  return {key = key, $RECORD_UNPACKED}
end

local function pack_record(head)
  return $RECORD_PACKED
end

-- The flags stand behind a `-`.
local function has_flag(head, flag)
  return string.find(head.flags, flag, 2, true) ~= nil
end

-- The stamp of the session's pointer.
local function stamp_of(head)
  return stamp_in(head.pointer)
end

-- C16: the instant until which a live claim keeps others from writing; 0 if there is none.
local function claimed_until(head)
  if head.secret == '-' then
    return 0
  end
  return head.lease_until > now and head.lease_until or 0
end

-- The kind of a timeout, its instant, and how many leases of the wait have lapsed. The kind is `r` (remind), `c`
-- (close) or `C`: a wait that has closed, and has left its scope for good.
local function timeout_parts(head)
  local kind, at, lapses = string.match(head.timeout, '^(.)([0-9]+):([0-9]+)$')
  return kind, tonumber(at), tonumber(lapses)
end

-- Whether the wait has left its scope (C32). A message that has claimed it in time keeps it there.
local function is_closed(head)
  if head.timeout == '-' then
    return false
  end
  local kind, at = timeout_parts(head)
  return kind == 'C' or kind == 'c' and at <= now and claimed_until(head) == 0
end

-- The scope that leads to the session; `-` for none. A start claim has no timeout.
local function routed_scope(head)
  return string.byte(head.timeout or '-') == 67 and '-' or head.scope
end

-- Removes the wait from a head. The fencing number stays, because it must only grow.
local function make_idle(head)
  head.scope, head.order, head.since, head.attempt, head.timeout = '-', '0', '0', '0', '-'
  head.secret, head.message, head.lease_until, head.own_deadline = '-', '-', 0, '0'
  head.claimed_by, head.released = '-', '-'
end

-- The record of a session. A record that was read is a table, called `head`: it has the fields of the
-- record, and `key`. Its deadline and its lease_until are numbers; all other fields are text.

--- @include "lib/prelude"

local function unpack_record(key, record)
  local $RECORD_NAMES = string.match(record, $RECORD_PATTERN)
  if not record_owner then
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

-- The stamp of the session's pointer; empty where there are no pointers.
local function stamp_of(head)
  return string.match(head.pointer, '^[0-9]*')
end

-- Removes the wait from a head. The fencing number stays, because it must only grow.
local function make_idle(head)
  head.scope, head.order, head.since, head.attempt = '-', '0', '0', '0'
  head.secret, head.lease_until, head.released = '-', 0, '-'
end

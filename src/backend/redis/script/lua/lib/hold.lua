-- The claim of a session, and the deadline that it holds off (C12, C16).

--- @include "lib/delete_session"
--- @include "lib/reservation"

-- Changes the deadline of a wait in the owner's index.
local function reschedule(head, deadline)
  local route, expiry = name('route', head.owner), name('expiry', head.owner)
  local found = call('HMGET', route, head.scope, '#')
  if found[1] ~= entry_of(head) or not found[2] then
    return
  end
  call('ZCARD', expiry) -- a key of another type ends the script here
  local last, soonest, latest, count = header_numbers(route, found[2])
  local ends = math.max(latest, deadline)
  if deadline < latest and head.deadline >= latest then
    ends = math.max(deadline, latest_without(expiry, head.scope) or 0)
  end
  local index_last, index_soonest = text(last), text(math.min(soonest, deadline))
  local index_latest, index_count = text(ends), text(count)
  write('ZADD', expiry, text(deadline), head.scope)
  write('HSET', route, '#', $INDEX_TEXT)
  set_expiry(ends, route, expiry)
end

-- Moves the deadline of a session and of all that leads to it, except its record, which is written next.
local function move_deadline(head, deadline)
  if deadline == head.deadline then
    return
  end
  local user = has_flag(head, 'c') and name('user', head.owner)
  local latest_created = user and call('GET', user) == head.key
  if routed_scope(head) ~= '-' then
    reschedule(head, deadline)
  end
  if latest_created then
    set_expiry(deadline, user)
  end
  set_expiry(deadline, name('session', head.key))
  head.deadline = deadline
end

-- The deadline of a session while a lease ends at `lease_until`: held off for a day at most, and on a Cluster
-- as far as the pointer covers it.
local function held_off(head, own, lease_until)
  return math.max(own, math.min(lease_until, own + $LONGEST_HOLD, covered_until(head.pointer)))
end

-- The deadline that a session has without its claim.
local function own_deadline_of(head)
  return head.own_deadline == '0' and head.deadline or tonumber(head.own_deadline)
end

-- Sets the end of the claim's lease, and the deadline that the session has without the claim.
local function set_lease(head, lease_until, own)
  local deadline = held_off(head, own, lease_until)
  move_deadline(head, deadline)
  head.lease_until, head.own_deadline = lease_until, deadline == own and '0' or text(own)
end

-- Counts a lease that has lapsed (C33); called before the next lease is set.
local function count_lapse(head)
  if head.secret ~= '-' and head.timeout ~= '-' then
    local kind, at, lapses = timeout_parts(head)
    head.timeout = kind .. text(at) .. ':' .. text(math.min(lapses + 1, $MOST_LAPSES))
  end
end

-- Ends the claim, and writes the record; the session waits again as it was. It has its own deadline again; if
-- that has passed, it is gone. A full server accepts a command that needs no memory, and then the others of the
-- script.
local function end_claim(head, released)
  local own = own_deadline_of(head)
  head.secret, head.message, head.lease_until, head.own_deadline = '-', '-', 0, '0'
  head.claimed_by, head.released = '-', released
  if own <= now then
    delete_session(head)
  else
    set_expiry(own, name('meta', head.key))
    move_deadline(head, own)
    write_record(head)
    if head.timeout ~= '-' then
      schedule(head)
    end
  end
end

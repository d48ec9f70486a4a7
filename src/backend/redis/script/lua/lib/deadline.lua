-- Deadlines, and writing values that have one.

--- @include "lib/prelude"

-- The deadline of a TTL; an empty TTL is none.
local function deadline_of(ttl)
  local deadline = ttl ~= '' and now + ttl or NEVER
  return deadline <= $LATEST_DEADLINE and deadline or NEVER
end

-- The TTL of a call that writes a session. One that begins with `=` is the TTL of the session as it is stored,
-- or what stands behind the `=` if none is known.
local function ttl_over(ttl, stored)
  if string.byte(ttl) ~= 61 then
    return ttl
  end
  local kept = stored and stored.ttl or '-'
  if kept == '-' then
    return string.sub(ttl, 2)
  end
  return kept == '0' and '' or kept
end

-- A TTL as a record contains it.
local function ttl_of_record(ttl)
  return ttl == '' and '0' or ttl
end

-- The expiry of a key for a deadline. Redis keeps a key through the millisecond of its expiry, and a
-- session ends at its deadline.
local function expiry_of(deadline)
  return text(deadline - 1)
end

local function set_expiry(deadline, ...)
  for i = 1, select('#', ...) do
    if deadline == NEVER then
      write('PERSIST', (select(i, ...)))
    else
      write('PEXPIREAT', (select(i, ...)), expiry_of(deadline))
    end
  end
end

-- Sets a string that expires at a deadline.
local function set_until(key, value, deadline)
  if deadline == NEVER then
    write('SET', key, value)
  else
    write('SET', key, value, 'PXAT', expiry_of(deadline))
  end
end

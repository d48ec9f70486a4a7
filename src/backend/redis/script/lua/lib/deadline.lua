-- Deadlines, and writing values that have one.

--- @include "lib/prelude"

-- The deadline of a TTL; an empty TTL is none. From 2^53 on a number is no exact instant.
local function deadline_of(ttl)
  local deadline = ttl ~= '' and now + ttl or NEVER
  return deadline < 9007199254740992 and deadline or NEVER
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

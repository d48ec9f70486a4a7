-- Writing what has a deadline.

-- The instant of a TTL that may be empty; beyond 2^53 a number is no exact instant any more.
local function deadline_of(ttl)
  local deadline = ttl ~= '' and now + ttl or NEVER
  return deadline < 9007199254740992 and deadline or NEVER
end

-- Redis keeps a key through the millisecond of its expiry; a session is gone at its deadline.
local function expiry_of(deadline)
  return text(deadline - 1)
end

local function set_expiry(deadline, ...)
  for i = 1, select('#', ...) do
    if deadline == NEVER then
      call('PERSIST', (select(i, ...)))
    else
      call('PEXPIREAT', (select(i, ...)), expiry_of(deadline))
    end
  end
end

-- Sets a string that ends at a deadline.
local function set(key, value, deadline)
  if deadline == NEVER then
    call('SET', key, value)
  else
    call('SET', key, value, 'PXAT', expiry_of(deadline))
  end
end

local function write_record(head)
  set(name('meta', head.key), pack_record(head), head.deadline)
end

-- C16: until when a live claim keeps others from writing; 0 if none does.
local function claimed_until(head)
  if head.secret == '-' then
    return 0
  end
  if not now then
    tick()
  end
  return head.lease_until > now and head.lease_until or 0
end

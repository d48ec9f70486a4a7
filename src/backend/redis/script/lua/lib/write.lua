-- Writing a record, and the claim that may keep a call from it.

--- @include "lib/deadline"
--- @include "lib/record"

local function write_record(head)
  set_until(name('meta', head.key), pack_record(head), head.deadline)
end

-- C16: the instant until which a live claim keeps others from writing; 0 if there is none.
local function claimed_until(head)
  if head.secret == '-' then
    return 0
  end
  return head.lease_until > now and head.lease_until or 0
end

-- Ends a claim; the session waits again as it was. A full server accepts a command that needs no memory, and
-- then the others of the script.
local function end_claim(head, released)
  head.secret, head.lease_until, head.released = '-', 0, released
  set_expiry(head.deadline, name('meta', head.key))
  write_record(head)
end

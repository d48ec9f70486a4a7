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

-- Writing a record.

--- @include "lib/deadline"
--- @include "lib/record"

local function write_record(head)
  set_until(name('meta', head.key), pack_record(head), head.deadline)
end

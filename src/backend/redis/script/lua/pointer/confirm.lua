-- Stores in the record of a session what is known of its pointer.

--- @include "lib/delete_session"
--- @include "lib/reservation"

return run(function()
  local key, extended = unpack(ARGV, 2)
  local head = load(key)
  if head and adopt(head, extended) then
    write_record(head)
  end
  return {'OK'}
end)

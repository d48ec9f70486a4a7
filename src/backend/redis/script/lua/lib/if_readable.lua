-- A read that may meet a value that it cannot read.

--- @include "lib/prelude"

-- Runs a function. Returns true and its result, or false and what cannot be read. Any other error, such as a
-- refused command, ends the script.
local function if_readable(read, ...)
  local is_read, answer = pcall(read, ...)
  if not is_read and (type(answer) ~= 'table' or answer[1] ~= 'UNREADABLE') then
    error(answer, 0)
  end
  return is_read, answer
end

-- What every script starts with: the names of keys. docs/redis-layout.md describes them.

local base = ARGV[1] -- ends with a colon

-- The key of something that belongs to a session key or to an owner.
local function name(kind, of)
  return base .. kind .. ':' .. of
end


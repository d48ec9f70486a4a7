-- The names of keys, and a call of a command that may fail.

local base = ARGV[1] -- what all names begin with; it ends with a colon

-- The key of a kind that belongs to a session key or to an owner. docs/redis-layout.md lists the kinds.
local function name(kind, of)
  return base .. kind .. ':' .. of
end

-- Returns an error as a table with a field `err`.
local pcall_redis = redis.pcall

-- What every script starts with: the names of keys, which docs/redis-layout.md describes, the look of a
-- record, and how to run a command whose error is no error of the script.

local base = ARGV[1] -- ends with a colon

-- The key of something that belongs to a session key or to an owner.
local function name(kind, of)
  return base .. kind .. ':' .. of
end

-- A class of a set is matched faster than %d and %S, which ask for the language of the server.
local RECORD = '^1 ([0-9]+) ([0-9]+) ([0-9]+) ([^ ]+) ([^ ]+) ([^ ]+) ([0-9]+) ([0-9]+) ([0-9]+) ([^ ]+) ([0-9]+) ([0-9]+) ([^ ]+) (.*)$'

local perform = redis.pcall


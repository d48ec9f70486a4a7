-- Reads what is stored under some names, for a walk. What cannot be read does not keep the rest from being
-- read.

--- @include "lib/load"
--- @include "lib/if_readable"

local depth = unpack(ARGV, 2, 2) -- behind it stands for each name its kind and what it belongs to

-- The part of a payload that a summary needs: all but its last field.
local OUTLINE = 4096
-- With more bytes than that in the answer, the rest of the names is left to another call. A message counts as
-- 4 KiB, because reading it takes more time than its bytes tell.
local ENOUGH, OF_MESSAGE = 4194304, 4096

-- Whether 1.2 parked the session, and it still waits: its record, if there is one, does not contain that.
local function is_legacy_wait(head)
  return is_legacy(head) and head.scope == '-' and legacy().is_in_set(head)
end

local function session(key, scope)
  local head = load(key, depth == 'full')
  if not head then
    return {'NONE'}
  end
  local name_of = name('session', key)
  local size = call('STRLEN', name_of)
  local payload = head.payload
  if depth == 'summary' and not payload then
    payload = size <= OUTLINE and call('GET', name_of) or call('GETRANGE', name_of, 0, OUTLINE - 1)
  end
  local waits = is_legacy_wait(head)
  if scope then
    if not waits or legacy_route(head.owner, scope.hash) ~= scope.name then
      return {'NONE'}
    end
  end
  local latest = call('GET', name('user', head.owner)) == key
  return {'SESSION', key, pack_record(head), waits and 1 or 0, latest and 1 or 0, size, payload or ''}
end

local read = {}

function read.session(key)
  return session(key)
end

-- A record whose payload is missing: it shows that its owner has something stored.
function read.meta(key)
  local record = call('GET', name('meta', key))
  if not record or call('EXISTS', name('session', key)) == 1 then
    return {'NONE'}
  end
  return {'SESSION', key, pack_record(unpack_record(key, record)), 0, 0, 0, ''}
end

-- The string that leads from a scope to a session of 1.2: no other key contains the scope.
function read.scope(of)
  local scope = {name = name('waits:scope', of), hash = string.match(of, ':(%x+)$')}
  local key = scope.hash and call('GET', scope.name)
  return key and session(key, scope) or {'NONE'}
end

-- The messages of an owner, and their size. An export has the replies too, by number.
function read.done(owner)
  local messages, replies = call('HGETALL', name('done', owner)), {}
  local size = #messages / 2 * OF_MESSAGE
  if depth == 'full' then
    replies = call('HGETALL', name('replies', owner))
    for _, value in ipairs(replies) do
      size = size + #value
    end
  end
  return {'DONE', messages, replies, size}
end

return run(function()
  local found, size = {}, 0
  for i = 3, #ARGV, 2 do
    local _, answer = if_readable(read[ARGV[i]], ARGV[i + 1])
    table.insert(found, answer)
    size = size + (answer[1] == 'DONE' and answer[4] or #(answer[7] or ''))
    if size > ENOUGH then
      break
    end
  end
  return {'OK', text(now), found}
end)

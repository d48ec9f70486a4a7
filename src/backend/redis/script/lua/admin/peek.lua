-- Tells what is stored under some names, for a walk. Whatever cannot be read stands in the way of
-- nothing else.
-- ARGV: base, depth, and for each name its kind and what it belongs to

-- How much of a payload a summary needs: all but its last field.
local OUTLINE = 4096
-- From how many bytes on the rest of the names is left to another call.
local ENOUGH = 4194304

-- Whether 1.2 parked it and it waits still: its record, if there is one, does not know.
local function waits_published(head)
  return is_published(head) and head.scope == '-' and legacy().is_in_set(head)
end

local function session(depth, key, scope)
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
  local published = waits_published(head)
  if scope then
    if not published or published_route(head.owner, scope.hash) ~= scope.name then
      return {'NONE'}
    end
  end
  local latest = call('GET', name('user', head.owner)) == key
  return {'SESSION', key, pack_record(head), published and 1 or 0, latest and 1 or 0, size, payload or ''}
end

local peek = {}

function peek.session(depth, key)
  return session(depth, key)
end

-- A record without its payload: nothing but a trace of its owner.
function peek.meta(_, key)
  local record = call('GET', name('meta', key))
  if not record or call('EXISTS', name('session', key)) == 1 then
    return {'NONE'}
  end
  return {'SESSION', key, pack_record(unpack_record(key, record)), 0, 0, 0, ''}
end

-- The string that leads from a scope to a session of 1.2: the one place that tells the scope.
function peek.scope(depth, of)
  local scope = {name = name('waits:scope', of), hash = string.match(of, ':(%x+)$')}
  local key = scope.hash and call('GET', scope.name)
  return key and session(depth, key, scope) or {'NONE'}
end

function peek.done(_, owner)
  return {'DONE', call('HGETALL', name('done', owner))}
end

return run(function()
  tick()
  local depth, found, size = ARGV[2], {}, 0
  for i = 3, #ARGV, 2 do
    local ok, answer = pcall(peek[ARGV[i]], depth, ARGV[i + 1])
    if not ok and (type(answer) ~= 'table' or answer[1] ~= 'UNREADABLE') then
      error(answer)
    end
    table.insert(found, answer)
    size = size + #(answer[7] or '')
    if size > ENOUGH then
      break
    end
  end
  return {'OK', text(now), found}
end)

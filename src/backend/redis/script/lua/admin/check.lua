-- Compares what is stored under some names with what it leads to, and repairs it if asked to (C23).

--- @include "lib/expires_at"
--- @include "lib/index"

local repair = unpack(ARGV, 2, 2) -- behind it stands for each name its kind and what it belongs to

local findings = {}

-- Reports a fault; `mend` repairs it.
local function report(fault, place, key, reason, mend)
  local repaired = mend and repair == '1'
  if repaired then
    mend()
  end
  table.insert(findings, {fault, place, key or '', reason, repaired and 1 or 0})
end

local function record_of(key)
  local record = call('GET', name('meta', key))
  return record and unpack_record(key, record)
end

local function is_there(key)
  return call('STRLEN', name('session', key)) > 0
end

-- Whether a key expires at a deadline. Redis 6 returns the time that is left, which is less exact.
local function ends_at(key, deadline)
  local at = expires_at(key)
  if deadline == NEVER or at < 0 then
    return at == -2 or at == -1 and deadline == NEVER
  end
  return math.abs(at - tonumber(expiry_of(deadline))) <= 10
end

local check = {}

function check.session(key)
  local head = load(key)
  if not head or head.legacy then
    return -- a session of 1.2 has no record that could contradict it
  end
  local session, meta = name('session', key), name('meta', key)
  if not ends_at(session, head.deadline) or not ends_at(meta, head.deadline) then
    report('MISSING', 'session', key, 'it does not end at its deadline', function()
      set_expiry(head.deadline, session, meta)
    end)
  end
  if head.scope == '-' then
    return
  end
  local route, expiry = name('route', head.owner), name('expiry', head.owner)
  local entry, mine = call('HGET', route, head.scope), entry_of(head)
  local other = entry and entry ~= mine and waiting(head.owner, entry)
  if other and tonumber(other.order) >= tonumber(head.order) then
    report('DANGLING', 'meta', key, 'another session waits on its scope', function()
      make_idle(head)
      write_record(head)
    end)
  elseif entry ~= mine or tonumber(call('ZSCORE', expiry, head.scope) or -1) ~= head.deadline then
    report('MISSING', 'route', key, 'the wait is not routed to', function()
      index_wait(head, call('HGET', route, '#'), nil, true, head.order, head.since)
    end)
  end
end

function check.meta(key)
  local head = record_of(key)
  if head and not is_there(key) then
    report('ORPHAN', 'meta', key, 'the data is missing', function()
      delete_session(head)
    end)
  end
end

-- Scopes whose deadline has passed are no fault: the next writes remove them.
function check.route(owner)
  local route, expiry = name('route', owner), name('expiry', owner)
  local fields = call('HGETALL', route)
  local latest = -1
  for i = 1, #fields, 2 do
    local scope, order, key = fields[i], string.match(fields[i + 1], '^([0-9]+):(.*)$')
    local ends = tonumber(call('ZSCORE', expiry, scope) or NEVER)
    if scope ~= '#' and ends > now then
      local head = key and record_of(key)
      local waits = head and is_there(key) and head.owner == owner and head.order == order and head.scope == scope
      if waits then
        latest = math.max(latest, ends)
      else
        report('DANGLING', 'route', key, 'the session does not wait there', function()
          call('HDEL', route, scope)
          call('ZREM', expiry, scope)
        end)
      end
    end
  end
  local at = expires_at(route)
  if latest > 0 and at >= 0 and at < latest - 1 then
    report('MISSING', 'route', nil, 'the index ends before a wait does', function()
      local $INDEX_NAMES = string.match(call('HGET', route, '#') or '0 -inf 0 0', $INDEX_PATTERN)
      index_latest = text(latest)
      call('HSET', route, '#', $INDEX_TEXT)
      set_expiry(latest, route, expiry)
    end)
  end
end

function check.expiry(owner)
  local route, expiry = name('route', owner), name('expiry', owner)
  for _, scope in ipairs(call('ZRANGEBYSCORE', expiry, text(now), '+inf')) do
    if call('HEXISTS', route, scope) == 0 then
      report('DANGLING', 'expiry', nil, 'nothing ends then', function()
        call('ZREM', expiry, scope)
      end)
    end
  end
end

function check.user(owner)
  local user = name('user', owner)
  local key = call('GET', user)
  local head = key and load(key)
  if key and (not head or head.owner ~= owner) then
    report('DANGLING', 'user', key, 'the session is missing, or another\'s', function()
      call('DEL', user)
    end)
  end
end

function check.done(owner)
  local done = name('done', owner)
  local fields, newest = call('HGETALL', done), 0
  for i = 1, #fields, 2 do
    newest = math.max(newest, tonumber(string.match(fields[i + 1], '^%d+') or 0))
  end
  if #fields > 0 and not ends_at(done, newest) then
    report('MISSING', 'done', nil, 'the messages are not forgotten with the last of them', function()
      call('HSET', done, '#', text(newest))
      call('PEXPIREAT', done, expiry_of(newest))
    end)
  end
end

-- The set of an owner's waits in 1.2: a session that expired stayed in it.
check['waits:user'] = function(owner)
  local waits = name('waits:user', owner)
  for _, key in ipairs(call('SMEMBERS', waits)) do
    if not is_there(key) then
      report('DANGLING', 'waits', key, 'the session is missing', function()
        call('SREM', waits, key)
      end)
    end
  end
end

-- A string that leads to a removed session is no fault if it expires: it does so when the session would have.
check['waits:scope'] = function(of)
  local scope = name('waits:scope', of)
  local key = call('GET', scope)
  if key and not is_there(key) and expires_at(scope) == -1 then
    report('DANGLING', 'waits', key, 'the session is missing', function()
      call('DEL', scope)
    end)
  end
end

return run(function()
  if repair ~= '1' then
    delete_session = nil -- so that `load` deletes nothing
  end
  for i = 3, #ARGV, 2 do
    local ok, answer = pcall(check[ARGV[i]], ARGV[i + 1])
    if not ok and (type(answer) ~= 'table' or answer[1] ~= 'UNREADABLE') then
      error(answer)
    end
    if not ok then
      table.insert(findings, answer)
    end
  end
  return {'OK', findings}
end)

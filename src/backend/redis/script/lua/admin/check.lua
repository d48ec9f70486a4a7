-- Compares what is stored under some names with what it leads to, and repairs it if asked to (C23). What cannot
-- be read can be set aside under another name, and deleted there.

--- @include "lib/expires_at"
--- @include "lib/if_readable"
--- @include "lib/start"
--- @include "lib/index"
--- @include "lib/replies"
--- @include "lib/messages"

-- Behind `cursor` stands for each name its kind and what it belongs to. The first of them is gone on with at
-- `cursor`, which is empty at its beginning.
local mode, cursor = unpack(ARGV, 2, 3)

-- How many entries of one name are read at once. The names behind it are left to another call once that many
-- entries were read.
local PAGE = 200

local repairs = mode == 'repair' or mode == 'quarantine'
local findings, entries_read = {}, 0

-- Reports a fault; `mend` repairs it.
local function report(fault, place, key, reason, mend)
  local repaired = mend and repairs
  if repaired then
    mend()
    flush()
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

-- Whether a key expires before a deadline.
local function ends_before(key, deadline)
  local at = expires_at(key)
  return at >= 0 and at < deadline - 11
end

-- The checks by kind. One that has not come to the end of its name returns where it is gone on with.
local check = {}

-- The owner that the data of a session names; nil if it is sealed (C36). The context is its first field, so that the
-- rest is seldom read.
local function owner_of_data(key)
  local session, owner_in = name('session', key), legacy().owner_in
  local outline = call('GETRANGE', session, 0, 4095)
  if string.sub(outline, 1, 3) == '\156GS' then
    return nil
  end
  local context = string.match(outline, '^{"tenant_ctx":(%b{})')
  local is_read, owner = if_readable(owner_in, key, '{"tenant_ctx":' .. (context or 'null') .. '}')
  return is_read and owner or owner_in(key, call('GET', session))
end

-- Whether the data of a session names another owner than its record. The data may name no user.
local function has_other_owner(head)
  local owner = owner_of_data(head.key)
  if not owner then
    return false
  end
  if has_flag(head, 'u') or not string.find(owner, ':@', 1, true) then
    return owner ~= head.owner
  end
  local place = string.match(owner, '^[^:]*:[^:]*:[^:]*:')
  return string.sub(head.owner, 1, #place) ~= place
end

function check.session(key)
  local head = load(key)
  if not head or head.legacy then
    return -- a session of 1.2 has no record that could contradict it
  end
  if has_other_owner(head) then
    unreadable(name('session', key), 'its data names another owner than its record')
  end
  local session, meta = name('session', key), name('meta', key)
  if not ends_at(session, head.deadline) or not ends_at(meta, head.deadline) then
    report('MISSING', 'session', key, 'it does not end at its deadline', function()
      set_expiry(head.deadline, session, meta)
    end)
  end
  local looked_at = head.timeout ~= '-' and tonumber(call('ZSCORE', due, member_of(head)) or NEVER)
  if looked_at and (looked_at > due_at(head) or ends_before(due, head.deadline)) then
    report('MISSING', 'due', key, 'its timeout is not in the index, or too late', function()
      schedule(head)
    end)
  end
  if routed_scope(head) == '-' then
    return
  end
  local route, expiry = name('route', head.owner), name('expiry', head.owner)
  local entry, mine = call('HGET', route, head.scope), entry_of(head)
  local is_other = entry and entry ~= mine and string.match(entry, '^[0-9]+:')
  local other = is_other and waiting(head.owner, entry)
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

local function is_waiting(owner, scope, order, key)
  local head = key and record_of(key)
  return head and is_there(key) and head.owner == owner and head.order == order and routed_scope(head) == scope
end

-- Checks a start claim, which ends at `ends` in the index (C27). Returns until when it is kept.
local function check_start(owner, scope, entry, ends)
  local is_read, start = if_readable(start_in, owner, scope, entry)
  local deadline = is_read and start and start.deadline
  if not is_read then
    report('DANGLING', 'route', nil, 'a start claim is damaged', function()
      write('HDEL', name('route', owner), scope)
      write('ZREM', name('expiry', owner), scope)
    end)
  elseif deadline ~= ends then
    report('MISSING', 'route', nil, 'a start claim does not end with its record', function()
      write('ZADD', name('expiry', owner), text(deadline or now), scope)
    end)
  end
  return deadline or -1
end

-- The fields of a hash from a cursor on, in pages.
local function fields_at(key, at)
  local page = call('HSCAN', key, at, 'COUNT', PAGE)
  entries_read = entries_read + #page[2] / 2
  return page[2], page[1]
end

-- Scopes whose deadline has passed are no fault: the next writes remove them. The latest deadline of the waits
-- is part of the cursor, and is compared with the header at the end.
function check.route(owner, from)
  local route, expiry = name('route', owner), name('expiry', owner)
  local at, latest = string.match(from, '^([0-9]+) (.*)$')
  local fields, behind = fields_at(route, at or '0')
  latest = deadline_of_score(latest or '-1')
  for i = 1, #fields, 2 do
    local scope, entry = fields[i], fields[i + 1]
    local ends = tonumber(call('ZSCORE', expiry, scope) or NEVER)
    if string.byte(entry) == 64 and ends > now then
      latest = math.max(latest, check_start(owner, scope, entry, ends))
    elseif scope ~= '#' and ends > now then
      local order, key = string.match(entry, '^([0-9]+):(.*)$')
      local is_read, waits = if_readable(is_waiting, owner, scope, order, key)
      if waits or not is_read then
        latest = math.max(latest, ends) -- a session that cannot be read may wait there
      else
        report('DANGLING', 'route', key, 'the session does not wait there', function()
          write('HDEL', route, scope)
          write('ZREM', expiry, scope)
        end)
      end
    end
  end
  if behind ~= '0' then
    return behind .. ' ' .. text(latest)
  end
  local is_read, last = if_readable(header_numbers, route, call('HGET', route, '#'))
  local ends_with = expires_at(route)
  if not is_read or latest > 0 and ends_with >= 0 and ends_with < latest - 1 then
    report('MISSING', 'route', nil, is_read and 'the index ends before a wait does' or 'the index header is damaged', function()
      local ends = math.max(latest, latest_without(expiry) or 0)
      local index_last, index_soonest, index_latest = text(is_read and last or micros), '0', text(ends)
      local index_count = text(call('HLEN', route))
      write('HSET', route, '#', $INDEX_TEXT)
      set_expiry(ends, route, expiry)
    end)
  end
end

function check.expiry(owner, from)
  local route, expiry = name('route', owner), name('expiry', owner)
  local page = call('ZSCAN', expiry, from == '' and '0' or from, 'COUNT', PAGE)
  local scopes = page[2]
  entries_read = entries_read + #scopes / 2
  for i = 1, #scopes, 2 do
    local scope = scopes[i]
    if deadline_of_score(scopes[i + 1]) >= now and call('HEXISTS', route, scope) == 0 then
      report('DANGLING', 'expiry', nil, 'nothing ends then', function()
        write('ZREM', expiry, scope)
      end)
    end
  end
  return page[1] ~= '0' and page[1] or nil
end

function check.user(owner)
  local user = name('user', owner)
  local key = call('GET', user)
  local head = key and load(key)
  if key and (not head or head.owner ~= owner) then
    report('DANGLING', 'user', key, 'the session is missing, or another\'s', function()
      write('DEL', user)
    end)
  end
end

-- A store keeps 2,000 messages of an owner at most (decision 0053), so they are read at once.
function check.done(owner)
  local done = name('done', owner)
  local fields, newest, damaged = call('HGETALL', done), 0, {}
  entries_read = entries_read + #fields / 2
  for i = 1, #fields, 2 do
    local field, value = fields[i], fields[i + 1]
    local is_read, ends = if_readable(field == '#' and read_newest or read_message, done, value)
    if is_read then
      newest = math.max(newest, ends)
    else
      table.insert(damaged, field)
    end
  end
  if #damaged > 0 and newest == 0 then
    newest = now + $MESSAGE_WINDOW
  end
  -- The message was committed, so it must not be worked on again: it is remembered with the last one.
  for _, field in ipairs(damaged) do
    report('MISSING', 'done', nil, 'when a message is forgotten is damaged', function()
      write('HSET', done, field, field == '#' and text(newest) or text(newest) .. ' ' .. text(micros) .. ' -')
    end)
  end
  if #fields > 0 and not ends_at(done, newest) then
    report('MISSING', 'done', nil, 'the messages are not forgotten with the last of them', function()
      write('HSET', done, '#', text(newest))
      write('PEXPIREAT', done, expiry_of(newest))
    end)
  end
end

-- A message can name a reply that was dropped, but each reply belongs to a message.
function check.replies(owner)
  local done, replies = name('done', owner), name('replies', owner)
  local ends_of, messages = {}, call('HGETALL', done)
  entries_read = entries_read + #messages / 2
  for i = 1, #messages, 2 do
    if messages[i] ~= '#' then
      local ends, _, reply = read_message(done, messages[i + 1])
      ends_of[reply] = ends
    end
  end
  local highest, sum, latest = 0, 0, 0
  for _, field in ipairs(call('HKEYS', replies)) do
    local _, number = age_and_number(field)
    if number and ends_of[field] then
      highest, latest = math.max(highest, number), math.max(latest, ends_of[field])
      sum = sum + length_of(call('HGET', replies, field) or '')
    elseif field ~= '#' then
      report('DANGLING', 'replies', nil, 'no message has the reply', function()
        write('HDEL', replies, field)
      end)
    end
  end
  local is_read, last, bytes, newest = pcall(read_replies, replies, call('HGET', replies, '#'))
  local is_right = is_read and last >= highest and bytes == sum and newest >= latest and ends_at(replies, newest)
  if not is_right then
    report('MISSING', 'replies', nil, 'the replies are counted wrongly, or do not end with the last of them', function()
      if highest == 0 then
        write('DEL', replies)
      else
        write_replies(replies, math.max(highest, is_read and last or 0), sum, latest)
      end
    end)
  end
end

-- The set of an owner's waits in 1.2: a session that expired stayed in it.
check['waits:user'] = function(owner, from)
  local waits = name('waits:user', owner)
  local page = call('SSCAN', waits, from == '' and '0' or from, 'COUNT', PAGE)
  entries_read = entries_read + #page[2]
  for _, key in ipairs(page[2]) do
    if not is_there(key) then
      report('DANGLING', 'waits', key, 'the session is missing', function()
        write('SREM', waits, key)
      end)
    end
  end
  return page[1] ~= '0' and page[1] or nil
end

-- A string that leads to a removed session is no fault if it expires: it does so when the session would have.
check['waits:scope'] = function(of)
  local scope = name('waits:scope', of)
  local key = call('GET', scope)
  if key and not is_there(key) and expires_at(scope) == -1 then
    report('DANGLING', 'waits', key, 'the session is missing', function()
      write('DEL', scope)
    end)
  end
end

-- What was set aside, under the instant, the kind and the rest of the name that it had.
function check.quarantine(of)
  local kind, key = string.match(of, '^[0-9]+:(%a+):(.*)$')
  if mode == 'discard' then
    write('DEL', name('quarantine', of))
    flush()
  end
  local session = (kind == 'session' or kind == 'meta') and key or ''
  table.insert(findings, {'QUARANTINED', 'quarantine', session, 'it could not be read', mode == 'discard' and 1 or 0})
end

-- Sets aside what cannot be read, with its expiry; the data of a session together with its record. Another value
-- that is unreadable is found by its own name. Returns the finding.
local function set_aside(kind, of, failure)
  local is_session = kind == 'session' or kind == 'meta'
  local kinds, is_meant = is_session and {'session', 'meta'} or {kind}, false
  for _, each in ipairs(kinds) do
    is_meant = is_meant or failure[2] == name(each, of)
  end
  if mode ~= 'quarantine' or not is_meant then
    return failure
  end
  for _, each in ipairs(kinds) do
    if call('EXISTS', name(each, of)) == 1 then
      write('RENAME', name(each, of), name('quarantine', text(micros) .. ':' .. each .. ':' .. of))
    end
  end
  flush()
  return {'QUARANTINED', kind, is_session and of or '', failure[3], 1}
end

return run(function()
  if not repairs then
    delete_session = nil -- so that `load` deletes nothing
  end
  local i, behind = 4, nil
  while i <= #ARGV and not behind and entries_read < PAGE do
    local kind, of = ARGV[i], ARGV[i + 1]
    local ok, result = pcall(check[kind], of, i == 4 and cursor or '')
    if ok then
      behind = result
    else
      local failure = result
      writes = {}
      if type(failure) == 'string' then
        failure = {'UNREADABLE', name(kind, of), 'it cannot be checked'} -- an error of this script
      elseif failure[1] ~= 'UNREADABLE' then
        error(failure)
      end
      table.insert(findings, set_aside(kind, of, failure))
    end
    i = behind and i or i + 2
  end
  return {'OK', findings, (i - 4) / 2, behind or ''}
end)

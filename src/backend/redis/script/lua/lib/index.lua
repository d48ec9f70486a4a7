-- The owner's index of waits. {route} leads from a scope to `order:key`; {expiry} holds the scopes by
-- deadline. The field `#` of {route} is the header of the index: the last order, a lower bound of the
-- soonest deadline, the latest deadline, at which both keys expire, and an upper bound of the number of
-- waits.

--- @include "lib/delete_session"

-- Removes up to eight scopes whose deadline has passed, so that no call pays for many. Returns the soonest
-- deadline.
local function prune(route, expiry)
  local passed = call('ZRANGEBYSCORE', expiry, '-inf', now, 'LIMIT', 0, 8)
  if #passed > 0 then
    call('ZREM', expiry, unpack(passed))
    call('HDEL', route, unpack(passed))
  end
  return end_of('ZRANGE', expiry)
end

local counted -- the number of live waits, once `is_full` has counted them

-- Whether the owner has as many live waits as it may have. They are counted only if the header does not
-- rule it out.
local function is_full(owner, index_header, limit)
  local $INDEX_NAMES = string.match(index_header or $INDEX_EMPTY, $INDEX_PATTERN)
  if tonumber(index_count) < limit then
    return false
  end
  counted = call('ZCOUNT', name('expiry', owner), '(' .. text(now), '+inf')
  return counted >= limit
end

-- Adds a wait to the index, behind all others of the owner. `stored` is the session as it is, if it may
-- wait already. With `frees` an entry was removed that may have had the latest deadline. `order` and
-- `since` are given for a wait that is in the index already, or comes from another store.
local function index_wait(head, index_header, stored, frees, order, since)
  local route, expiry = name('route', head.owner), name('expiry', head.owner)
  if index_changed then
    index_header = call('HGET', route, '#')
  end
  local last, soonest, latest, count = 0, NEVER, 0, 0
  if index_header then
    local $INDEX_NAMES = string.match(index_header, $INDEX_PATTERN)
    last, soonest, latest, count = index_last, tonumber(index_soonest), tonumber(index_latest), index_count
  end
  head.order, head.since = order or text(math.max(last + 1, micros)), since or text(now)
  if soonest <= now then
    soonest = prune(route, expiry)
  end
  local deadline, from = head.deadline, stored and stored.scope or '-'
  local stays = from == head.scope
  if not (stays and stored.is_routed and stored.deadline == deadline) then
    call('ZADD', expiry, text(deadline), head.scope)
  end
  if from ~= '-' and not stays then
    call('ZREM', expiry, from)
    call('HDEL', route, from)
  end
  local ends = latest
  if deadline >= latest then
    ends = deadline
  elseif frees then
    ends = end_of('ZREVRANGE', expiry)
  end
  local index_last = order and text(math.max(last, order)) or head.order
  local index_soonest, index_latest = text(math.min(soonest, deadline)), text(ends)
  local index_count = text((counted or count) + (stays and 0 or 1))
  call('HSET', route, head.scope, entry_of(head), '#', $INDEX_TEXT)
  if ends ~= latest and (latest > 0 or ends ~= NEVER) then
    set_expiry(ends, route, expiry)
  end
end

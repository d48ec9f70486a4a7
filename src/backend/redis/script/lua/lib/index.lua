-- The owner's index of waits. {route} leads from a scope to `order:key`; {expiry} holds the scopes by
-- deadline. The field `#` of {route} is the header of the index: the last order, a lower bound of the
-- soonest deadline, the latest deadline, at which both keys expire, and an upper bound of the number of
-- waits.

--- @include "lib/delete_session"

-- Removes up to eight scopes whose deadline has passed, so that no call pays for many. Returns the soonest
-- deadline of the others.
local function prune(route, expiry)
  local passed = call('ZRANGEBYSCORE', expiry, '-inf', now, 'LIMIT', 0, 8)
  if #passed > 0 then
    write('ZREM', expiry, unpack(passed))
    write('HDEL', route, unpack(passed))
  end
  return deadline_of_score(call('ZRANGE', expiry, #passed, #passed, 'WITHSCORES')[2] or NEVER)
end

local counted -- the number of live waits, once `is_full` has counted them

-- Whether the owner has as many live waits as it may have. They are counted only if the header does not
-- rule it out.
local function is_full(owner, index_header, limit)
  local _, _, _, count = header_numbers(name('route', owner), index_header)
  if count < limit then
    return false
  end
  counted = call('ZCOUNT', name('expiry', owner), '(' .. text(now), '+inf')
  return counted >= limit
end

-- Adds a wait or a start claim to the index, a wait behind all others of the owner. `stored` is what is in
-- the index already, and is replaced: the session as it is, or a start claim. With `frees` an entry is
-- removed that may have the latest deadline. `order` and `since` are given for a wait that is in the index
-- already, or comes from another store, and for a start claim.
local function index_wait(head, index_header, stored, frees, order, since)
  local route, expiry = name('route', head.owner), name('expiry', head.owner)
  if index_changed then
    index_header = call('HGET', route, '#')
  end
  local last, soonest, latest, count = header_numbers(route, index_header)
  head.order, head.since = order or text(math.max(last + 1, micros)), since or text(now)
  if soonest <= now then
    soonest = prune(route, expiry)
  end
  local deadline, from = head.deadline, stored and routed_scope(stored) or '-'
  if soonest > now and count <= 1 and from == head.scope then
    soonest = NEVER -- there is no other entry
  end
  local ends = latest
  if deadline >= latest then
    ends = deadline
  elseif frees then
    ends = math.max(deadline, latest_without(expiry, head.scope, from) or 0)
  end
  write('ZADD', expiry, text(deadline), head.scope)
  if from ~= '-' and from ~= head.scope then
    write('ZREM', expiry, from)
    write('HDEL', route, from)
  end
  local index_last = text(math.max(last, head.order))
  local index_soonest, index_latest = text(math.min(soonest, deadline)), text(ends)
  local index_count = text((counted or count) + (from == head.scope and 0 or 1))
  write('HSET', route, head.scope, entry_of(head), '#', $INDEX_TEXT)
  if ends ~= latest and (latest > 0 or ends ~= NEVER) then
    set_expiry(ends, route, expiry)
  end
end

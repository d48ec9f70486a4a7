-- The owner's index of waits: {route} leads from a scope to `order:key`, {due} holds the scopes by
-- deadline. The field `#` of {route} is the book: the last order given out, the soonest deadline,
-- and the latest, at which both keys expire.

-- Drops up to eight dead scopes, so that no writer pays for many.
local function prune(route, due)
  local dead = call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 8)
  if #dead > 0 then
    call('ZREM', due, unpack(dead))
    call('HDEL', route, unpack(dead))
  end
  return end_of('ZRANGE', due)
end

-- Puts a wait into the index, behind all others of the owner. `stored` is the session as it is, if it
-- may wait already; `frees` tells that an entry went which may have been the latest. A wait that is
-- there already, or was elsewhere, has an `order` and a `since` to keep.
local function index_wait(head, book, stored, frees, order, since)
  local route, due = name('route', head.owner), name('due', head.owner)
  if swept then
    book = call('HGET', route, '#')
  end
  local last, soonest, latest = 0, NEVER, 0
  if book then
    last, soonest, latest = string.match(book, '^([^ ]+) ([^ ]+) ([^ ]+)$')
    soonest, latest = tonumber(soonest), tonumber(latest)
  end
  head.order, head.since = order or text(math.max(last + 1, micros)), since or text(now)
  if soonest <= now then
    soonest = prune(route, due)
  end
  local deadline, from = head.deadline, stored and stored.scope or '-'
  local stays = from == head.scope
  if not (stays and stored.is_routed and stored.deadline == deadline) then
    call('ZADD', due, text(deadline), head.scope)
  end
  if from ~= '-' and not stays then
    call('ZREM', due, from)
    call('HDEL', route, from)
  end
  local ends = latest
  if deadline >= latest then
    ends = deadline
  elseif frees then
    ends = end_of('ZREVRANGE', due)
  end
  local given = order and text(math.max(last, order)) or head.order
  book = given .. ' ' .. text(math.min(soonest, deadline)) .. ' ' .. text(ends)
  call('HSET', route, head.scope, entry_of(head), '#', book)
  if ends ~= latest and (latest > 0 or ends ~= NEVER) then
    set_expiry(ends, route, due)
  end
end

-- Deleting a session. lib/index describes the owner's index of waits.

--- @include "lib/expires_at"
--- @include "lib/load"
--- @include "lib/due"
--- @include "lib/fence"

-- A score of {expiry} as a deadline. A score that is none counts as the deadline that is nearest to it.
local function deadline_of_score(score)
  local deadline = math.max(tonumber(score), 0)
  return deadline <= MAX_NUMBER and deadline or NEVER
end

-- The numbers in the header of an owner's index.
local function header_numbers(route, header)
  if not header then
    return 0, NEVER, 0, 0
  end
  local $INDEX_NAMES = string.match(header, $INDEX_PATTERN)
  local last, soonest = tonumber(index_last), tonumber(index_soonest)
  local latest, count = tonumber(index_latest), tonumber(index_count)
  local is_read = last and last >= 0 and last <= MAX_NUMBER
    and soonest and soonest >= 0 and (soonest <= MAX_NUMBER or soonest == NEVER)
    and latest and latest >= 0 and (latest <= MAX_NUMBER or latest == NEVER)
    and count and count >= 0 and count <= MAX_NUMBER
  if not is_read then
    unreadable(route, 'its index header is damaged')
  end
  return last, soonest, latest, count
end

-- The latest deadline of an owner's waits without those on two scopes; nil if there are no others.
local function latest_without(expiry, one, other)
  local latest = call('ZREVRANGE', expiry, 0, 2, 'WITHSCORES')
  for i = 1, #latest, 2 do
    if latest[i] ~= one and latest[i] ~= other then
      return deadline_of_score(latest[i + 1])
    end
  end
end

-- Removes a session's wait from the index. If it is the last one, both keys of the index join `gone`.
local function unroute(head, gone)
  local route, expiry = name('route', head.owner), name('expiry', head.owner)
  local found = call('HMGET', route, head.scope, '#')
  if not head.is_routed and found[1] ~= entry_of(head) then
    return
  end
  if call('ZCARD', expiry) <= 1 and call('HLEN', route) <= 2 then
    gone[#gone + 1], gone[#gone + 2] = route, expiry
    return
  end
  local last, soonest, latest, count = header_numbers(route, found[2])
  write('ZREM', expiry, head.scope)
  write('HDEL', route, head.scope)
  local ends = found[2] and head.deadline >= latest and latest_without(expiry, head.scope)
  if ends and ends < latest then
    local index_last, index_soonest, index_latest, index_count = text(last), text(soonest), text(ends), text(count)
    write('HSET', route, '#', $INDEX_TEXT)
    set_expiry(ends, route, expiry)
  end
end

-- C14: whether a session came after the first attempt of a call, which then may have removed the one before it.
-- `first_sent` is an instant before that attempt in microseconds, and empty in the first one.
local function is_newer(head, first_sent)
  return first_sent ~= '' and math.max(head.created, head.since) >= math.floor(first_sent / 1000)
end

-- Deletes a session and all that leads to it (C7, C11, C13).
delete_session = function(head, legacy_scope)
  if is_legacy(head) then
    legacy().remove_wait(head.owner, legacy_scope, head.key)
  end
  local gone = {name('session', head.key), name('meta', head.key)}
  if has_flag(head, 'c') and call('GET', name('user', head.owner)) == head.key then
    table.insert(gone, name('user', head.owner))
  end
  if head.scope ~= '-' then
    unroute(head, gone)
  end
  if head.timeout ~= '-' then
    unschedule(head)
  end
  write('DEL', unpack(gone))
  local stamp = stamp_of(head)
  if stamp ~= '' then
    -- The pointer is deleted next, and the call that wrote the session may have been sent twice.
    fence_off(head.key, stamp)
  end
end

-- The end of the fast paths of ops/park, ops/commit and ops/commit_start: writes the index, the session, and
-- the message of a commit (`done` is nil for a park). It declines if a wait of the owner has ended, or ends
-- later than this one. `found` is the entry and the header of the index, nil if they are not read yet.

  local route = name('route', owner)
  found = found or pcall_redis('HMGET', route, scope, '#')
  if found[1] ~= entry then
    break
  end
  local $INDEX_NAMES = string.match(found[2] or $INDEX_EMPTY, $INDEX_PATTERN)
  local last, soonest, latest = tonumber(index_last), tonumber(index_soonest), tonumber(index_latest)
  local deadline = ttl == '' and math.huge or now + ttl
  local count, newest = tonumber(index_count), done and tonumber(known[2] or 0) or 0
  if not (last and soonest and latest and count and newest and last <= $MAX_NUMBER and count <= $MAX_NUMBER and newest <= $MAX_NUMBER) then
    break
  end
  if not (soonest > now and latest >= 0 and deadline >= latest) or ttl ~= '' and deadline > $LATEST_DEADLINE then
    break
  end
  if not entry then
    -- Only a park gets here: the wait of a commit, or its start claim, is in the index.
    if not found[2] then
      index_count = '1'
    else
      index_count = count + 1
      if index_count - max_waits > 0 then
        break
      end
    end
  end

  local expires_at = nil
  index_latest = 'inf'
  if ttl ~= '' then
    index_latest, expires_at = format('%.0f', deadline), format('%.0f', deadline - 1)
  end
  --- @include "fast/due"
  local stored_deadline = record_deadline
  record_deadline = expires_at and index_latest or '0'
  -- As `flush` in lib/prelude: the first command that writes may be refused, and no later one.
  local moves, may_run = not entry or stored_deadline ~= record_deadline, redis.acl_check_cmd
  if may_run and (
    (moves or due_score) and not may_run('HSET', route)
    or expires_at and not may_run('SET', session)
    or not expires_at and not may_run('MSET', session)
    or (expires_at or done) and not may_run('PEXPIREAT', route)
    or not expires_at and latest > 0 and latest < deadline and not may_run('PERSIST', route)
    or due and not due_score and not may_run('ZREM', due)
  ) then
    break
  end
  if moves then
    if type(pcall_redis('ZADD', name('expiry', owner), index_latest, scope)) ~= 'number' then
      break
    end
  end
  if due_score and type(pcall_redis('ZADD', due, due_score, owner .. ' ' .. key)) ~= 'number' then
    -- It is no index, so that nothing may be written.
    if moves and entry then
      redis.call('ZADD', name('expiry', owner), stored_deadline == '0' and 'inf' or stored_deadline, scope)
    elseif moves then
      redis.call('ZREM', name('expiry', owner), scope)
    end
    break
  end
  index_last = index_last + 1 > micros and format('%.0f', index_last + 1) or time[1] .. format('%06d', time[2])
  -- The entry may be the only one.
  local is_sooner = soonest < deadline and (count > 1 or not entry)
  index_soonest = is_sooner and format('%.0f', soonest) or index_latest
  if type(pcall_redis('HSET', route, scope, index_last .. ':' .. key, '#', $INDEX_TEXT)) ~= 'number' then
    break
  end
  record_scope, record_order, record_since, record_attempt, record_timeout = scope, index_last, instant, '0', new_timeout
  record_secret, record_message, record_lease_until, record_released, record_owner = '-', '-', '0', '-', owner
  record_own_deadline, record_claimed_by = '0', '-'
  record_ttl = ttl == '' and '0' or ttl
  record = $RECORD_TEXT
  if expires_at then
    redis.call('PEXPIREAT', route, expires_at)
    redis.call('PEXPIREAT', name('expiry', owner), expires_at)
    redis.call('SET', session, payload, 'PXAT', expires_at)
    redis.call('SET', meta, record, 'PXAT', expires_at)
  else
    if latest > 0 and latest < deadline then
      redis.call('PERSIST', route)
      redis.call('PERSIST', name('expiry', owner))
    end
    redis.call('MSET', session, payload, meta, record)
  end
  if done then
    local ends = math.min(now + window, $LATEST_DEADLINE)
    newest = math.max(newest, ends)
    redis.call('HSET', done, message, format('%.0f', ends) .. ' ' .. format('%.0f', micros) .. ' ' .. secret, '#', format('%.0f', newest))
    redis.call('PEXPIREAT', done, format('%.0f', newest - 1))
  end
  if due_ends then
    redis.call('PEXPIREAT', due, due_ends)
  elseif due and not due_score then
    redis.call('ZREM', due, owner .. ' ' .. key)
  end
  return {'OK', answer}

-- Fast path of ops/claim: the start of a flow under a free key, on the only scope of the call, where nothing
-- was written by 1.2. It declines if a wait of the owner has ended.

  local limit, new_key = string.match(#ARGV == 9 and ARGV[9] or '', '^([0-9]+) 0 (.*)$')
  if entry ~= false or not new_key or pcall_redis('HEXISTS', name('done', owner), message) ~= 0 or string.find(owner, '%2D:', 1, true) then
    break
  end
  if pcall_redis('EXISTS', name('session', new_key), name('meta', new_key), name('waits:scope', owner .. ':' .. legacy_scope)) ~= 0 then
    break
  end
  local route, expiry = name('route', owner), name('expiry', owner)
  local header = pcall_redis('HGET', route, '#')
  local $INDEX_NAMES = string.match(header or $INDEX_EMPTY, $INDEX_PATTERN)
  local last, soonest, latest, count = tonumber(index_last), tonumber(index_soonest), tonumber(index_latest), tonumber(index_count)
  local deadline = now + lease + math.max(lease, $SHORTEST_STAY)
  if not (last and soonest and latest and count and last <= $MAX_NUMBER and count <= $MAX_NUMBER and count < tonumber(limit)) then
    break
  end
  if not (soonest > now and latest >= 0 and (latest <= $MAX_NUMBER or latest == math.huge)) then
    break
  end
  local may_run, expires_at = redis.acl_check_cmd, latest < deadline and format('%.0f', deadline - 1)
  if may_run and (not may_run('HSET', route) or expires_at and not may_run('PEXPIREAT', route)) then
    break
  end
  local start_deadline, start_lease_until = format('%.0f', deadline), format('%.0f', now + lease)
  if type(pcall_redis('ZADD', expiry, start_deadline, scope)) ~= 'number' then
    break
  end
  index_soonest = soonest < deadline and index_soonest or start_deadline
  index_latest = expires_at and start_deadline or index_latest
  index_count = format('%.0f', count + 1)
  local start_secret, start_attempt, start_fencing, start_message = secret, '1', format('%.0f', micros), message
  local start_released, start_key = '-', new_key
  redis.call('HSET', route, scope, $START_TEXT, '#', $INDEX_TEXT)
  if expires_at then
    redis.call('PEXPIREAT', route, expires_at)
    redis.call('PEXPIREAT', expiry, expires_at)
  end
  return {'STARTED', new_key, start_attempt, start_lease_until, start_fencing}

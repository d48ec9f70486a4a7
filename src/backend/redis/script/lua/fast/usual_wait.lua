-- The rest of a usual park and of a usual commit: the index, where no wait of the owner is over or ends
-- later, and the session.

  local route = name('route', owner)
  local found = perform('HMGET', route, scope, '#')
  if found[1] ~= entry then
    break
  end
  local last, soonest, latest = string.match(found[2] or '0 inf 0', '^([^ ]+) ([^ ]+) ([^ ]+)$')
  soonest, latest = tonumber(soonest), tonumber(latest)
  local deadline = ttl == '' and math.huge or now + ttl
  if soonest <= now or deadline < latest or ttl ~= '' and deadline >= 9007199254740992 then
    break
  end

  local ends, expiry = 'inf', nil
  if ttl ~= '' then
    ends, expiry = format('%.0f', deadline), format('%.0f', deadline - 1)
  end
  if not entry or ended ~= (expiry and ends or '0') then
    if type(perform('ZADD', name('due', owner), ends, scope)) ~= 'number' then
      break
    end
  end
  local next = last + 1 > micros and format('%.0f', last + 1) or time[1] .. format('%06d', time[2])
  local first = soonest < deadline and format('%.0f', soonest) or ends
  if type(perform('HSET', route, scope, next .. ':' .. key, '#', next .. ' ' .. first .. ' ' .. ends)) ~= 'number' then
    break
  end
  record = '1 ' .. revision .. ' ' .. created .. ' ' .. (expiry and ends or '0') .. ' ' .. flags .. ' ' .. operation .. ' ' .. scope
    .. ' ' .. next .. ' ' .. instant .. ' 0 - 0 ' .. fencing .. ' - ' .. owner
  if expiry then
    redis.call('PEXPIREAT', route, expiry)
    redis.call('PEXPIREAT', name('due', owner), expiry)
    redis.call('SET', session, payload, 'PXAT', expiry)
    redis.call('SET', meta, record, 'PXAT', expiry)
  else
    if latest > 0 and latest < deadline then
      redis.call('PERSIST', route)
      redis.call('PERSIST', name('due', owner))
    end
    redis.call('MSET', session, payload, meta, record)
  end
  if done then
    local forgotten = math.min(now + ARGV[6], 9007199254740991)
    local newest = math.max(tonumber(known[2] or 0), forgotten)
    redis.call('HSET', done, ARGV[4], format('%.0f', forgotten) .. ' ' .. format('%.0f', micros) .. ' ' .. secret, '#', format('%.0f', newest))
    redis.call('PEXPIREAT', done, format('%.0f', newest - 1))
  end
  return {'OK', answer}
until true


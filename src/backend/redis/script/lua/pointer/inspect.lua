-- For a check. Answers owner, stamp, how long the pointer lives on or -1, and for how long no call was
-- about to write the session.

if not owner then
  return {redis.call('EXISTS', pointer) == 1 and 'UNREADABLE' or 'GONE'}
end
return {'OK', owner, stamp, redis.call('PTTL', pointer), math.max(math.floor((micros() - awaited) / 1000), 0)}

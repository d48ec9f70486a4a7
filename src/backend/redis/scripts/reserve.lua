-- ARGV: owner, how long it lives at least, the stamp of a pointer to replace or empty

local age = owner and math.floor((micros() - stamp) / 1000)
if owner and stamp ~= ARGV[3] then
  if owner ~= ARGV[1] then
    return {'OTHER', stamp, owner, math.max(age, 0)}
  end
  local left = redis.call('PTTL', pointer)
  if left >= 0 and left < tonumber(ARGV[2]) then
    redis.call('PEXPIRE', pointer, ARGV[2])
  end
  return {'FOUND', stamp}
end
local left = owner == ARGV[1] and redis.call('PTTL', pointer) or 0
local fresh = string.format('%.0f', math.max(micros(), (stamp or 0) + 1))
if left == -1 then
  redis.call('SET', pointer, fresh .. ' ' .. ARGV[1])
else
  redis.call('SET', pointer, fresh .. ' ' .. ARGV[1], 'PX', string.format('%.0f', math.max(left, ARGV[2])))
end
return {'WRITTEN', fresh}

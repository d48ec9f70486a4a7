-- ARGV: owner, stamp or empty, how long it lives or empty, whether it may live longer

if owner ~= ARGV[1] or (ARGV[2] ~= '' and ARGV[2] ~= stamp) then
  return {'GONE'}
end
local left = redis.call('PTTL', pointer)
if ARGV[3] == '' then
  if left >= 0 then
    redis.call('PERSIST', pointer)
  end
  return {'OK'}
end
local lives_longer = left == -1 or left > tonumber(ARGV[3])
if lives_longer and ARGV[4] == '1' then
  return {'LONGER'}
end
redis.call('PEXPIRE', pointer, ARGV[3])
return {'OK'}

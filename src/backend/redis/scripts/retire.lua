-- ARGV: owner, stamp, how old the pointer must be in milliseconds

if owner ~= ARGV[1] then
  return {'GONE'}
end
if stamp ~= ARGV[2] then
  return {'OTHER'}
end
if (micros() - stamp) / 1000 < tonumber(ARGV[3]) then
  return {'YOUNG'}
end
redis.call('DEL', pointer)
return {'OK'}

-- ARGV: owner, stamp

if owner ~= ARGV[1] then
  return {'GONE'}
end
if stamp ~= ARGV[2] then
  return {'OTHER'}
end
redis.call('DEL', pointer)
return {'OK'}

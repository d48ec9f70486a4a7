-- A TTL that is kept, as ttl_over of lib/deadline. It declines a TTL that is no
-- number. The slow path sees the TTL that was found.

  if string.byte(ttl) == 61 then
    if not record_ttl or record_ttl == '-' then
      ttl = string.sub(ttl, 2)
    elseif #record_ttl > 16 or string.find(record_ttl, '[^0-9]') then
      break
    else
      ttl = record_ttl == '0' and '' or record_ttl
    end
  end

-- The due index of a wait that is written, as lib/due. It declines if many are due, which it looks at in one of
-- sixteen calls, or if the index has to lose its expiry.

  local due, due_score, due_ends, new_timeout = nil, nil, nil, '-'
  if timeout ~= '' or record_timeout ~= '-' then
    due = KEYS[2] or base .. 'due'
    if timeout == '' or micros % 16 == 0 then
      local many = pcall_redis('ZCOUNT', due, '-inf', now)
      if type(many) ~= 'number' or many > $MANY_DUE then
        break
      end
    end
    if timeout ~= '' then
      local after, left = tonumber(string.sub(timeout, 2)), pcall_redis('PTTL', due)
      if type(left) ~= 'number' or ttl == '' and left >= 0 or ttl ~= '' and after >= tonumber(ttl) or now + after > $LATEST_DEADLINE then
        break
      end
      due_score = format('%.0f', now + after)
      new_timeout = string.sub(timeout, 1, 1) .. due_score .. ':0'
      if expires_at and (left == -2 or left >= 0 and now + left < deadline - 1) then
        due_ends = format('%.0f', deadline + math.floor(ttl / 16))
      end
    end
  end

-- ARGV: base, session key, place, user or empty, revision or empty, claim or empty, operation, payload

-- C3: env, tenant, team and user stay as they are.
local function is_unchanged(head, place, user)
  if user ~= '' then
    return has(head, 'u') and head.owner == place .. user
  end
  return not has(head, 'u') and string.sub(head.owner, 1, #place) == place
end

return run(function()
  local revision, claim, operation = ARGV[5], ARGV[6], ARGV[7]
  local head = load(ARGV[2])
  if not head then
    return {'NOT_FOUND'}
  end
  if not is_unchanged(head, ARGV[3], ARGV[4]) then
    return {'OWNER', head.owner, has(head, 'u') and 1 or 0}
  end
  if head.operation == operation then
    return {'OK', head.revision}
  end
  if claim == '' then
    local busy = claimed_until(head)
    if busy > 0 then
      return {'CLAIMED', busy}
    end
    head.secret, head.lease_until = '-', 0
  elseif head.secret ~= claim then
    return {'LOST'}
  end
  if revision ~= '' and revision ~= head.revision then
    return {'MOVED', head.revision}
  end
  head.revision, head.operation = text(head.revision + 1), operation
  if head.published and legacy().is_in_set(head) then
    -- It goes on waiting where 1.2 routed it: this call does not know the scope.
    head.flags = head.flags .. 'p'
  end
  call('SET', name('session', head.key), ARGV[8], 'KEEPTTL')
  write_record(head)
  return {'OK', head.revision}
end)

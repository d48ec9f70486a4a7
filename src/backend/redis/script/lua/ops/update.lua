-- Replaces the payload of a session.

--- @include "lib/delete_session"
--- @include "lib/load_within"

-- C3: env, tenant, team and user stay as they are.
local function is_same_owner(head, owner_prefix, user)
  if user ~= '' then
    return has_flag(head, 'u') and head.owner == owner_prefix .. user
  end
  return not has_flag(head, 'u') and string.sub(head.owner, 1, #owner_prefix) == owner_prefix
end

return run(function()
  -- `owner_prefix` is the owner without its user; `revision` and `claim` are empty if they are not to be
  -- checked.
  local key, fence, owner_prefix, user, revision, claim, operation, payload = unpack(ARGV, 2)
  local head = load_within(fence, key)
  if not head then
    return {'NOT_FOUND'}
  end
  if not is_same_owner(head, owner_prefix, user) then
    return {'OWNER', head.owner, has_flag(head, 'u') and 1 or 0}
  end
  if head.operation == operation then
    return {'OK', head.revision}
  end
  local ends_lease = false
  if claim == '' then
    local busy = claimed_until(head)
    if busy > 0 then
      return {'CLAIMED', busy}
    end
    -- The lease has ended, so that the deadline is the session's own.
    ends_lease = head.secret ~= '-'
    head.secret, head.message, head.lease_until, head.own_deadline, head.claimed_by = '-', '-', 0, '0', '-'
  elseif head.secret ~= claim then
    return {'LOST'}
  end
  if revision ~= '' and revision ~= head.revision then
    return {'REVISION_CONFLICT', head.revision}
  end
  head.revision, head.operation = text(head.revision + 1), operation
  if head.legacy and legacy().is_in_set(head) then
    -- It still waits where 1.2 routed it, because this call does not know the scope.
    head.flags = head.flags .. 'p'
  end
  write('SET', name('session', head.key), payload, 'KEEPTTL')
  write_record(head)
  if ends_lease and head.timeout ~= '-' then
    schedule(head)
  end
  return {'OK', head.revision}
end)

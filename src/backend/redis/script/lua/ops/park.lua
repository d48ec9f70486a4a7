-- Registers a wait: writes a session that waits on a scope (C9).

--- @include "lib/keys"
local owner, key, scope, legacy_scope, ttl, timeout, operation, if_absent, max_waits, payload, reservation = unpack(ARGV, 2)
--- @include "fast/park"
--- @include "lib/register"
--- @include "lib/reservation"

return run(function()
  local stored = load(key)
  ttl = ttl_over(ttl, stored)
  local deadline = deadline_of(ttl)
  local refused = refuse(stored, key, reservation, deadline)
  if refused then
    refused[3] = ttl_of_record(ttl)
    return refused
  end
  if stored then
    if stored.owner ~= owner then
      return {'FOREIGN'}
    end
    -- Also if another session has displaced it since: a repeat must not take the scope back.
    if stored.operation == operation then
      return {'OK', stored.revision}
    end
  end
  local place = look_at(owner, scope, legacy_scope, stored)
  local holder = place.holder
  if holder and if_absent == '1' then
    return {'EXISTS', holder.key}
  end
  local busy = stored and claimed_until(stored) or 0
  if busy > 0 then
    return {'CLAIMED', busy}
  end
  local adds = not holder and not place.start and not place.closed and not (stored and routed_scope(stored) ~= '-')
  if adds and is_full(owner, place.index_header, tonumber(max_waits)) then
    return {'FULL'}
  end
  local head = new_head(owner, key, scope, operation, deadline, ttl, payload, pointer_in(reservation), timeout)
  return register(head, legacy_scope, stored, place)
end)

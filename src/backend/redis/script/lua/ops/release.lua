-- Ends a claim; the session waits again as it was.

--- @include "lib/hold"
--- @include "lib/start"

return run(function()
  -- The last two are missing for the claim of a wait.
  local owner, key, secret, start_scope, message = unpack(ARGV, 2)
  local head
  if start_scope then
    head = start_of(owner, start_scope, key, message)
  else
    head = load(key)
  end
  if not head or head.owner ~= owner then
    return {'LOST'}
  end
  if head.released == secret then
    return {'OK'}
  end
  if head.secret ~= secret then
    return {'LOST'}
  end
  if start_scope then
    release_start(head, secret)
  else
    end_claim(head, secret)
  end
  return {'OK'}
end)

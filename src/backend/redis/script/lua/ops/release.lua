-- Ends a claim; the session waits again as it was.

--- @include "lib/hold"

return run(function()
  local owner, key, secret = unpack(ARGV, 2)
  local head = load(key)
  if not head or head.owner ~= owner then
    return {'LOST'}
  end
  if head.released == secret then
    return {'OK'}
  end
  if head.secret ~= secret then
    return {'LOST'}
  end
  end_claim(head, secret)
  return {'OK'}
end)

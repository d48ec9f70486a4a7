-- Reading a session that a call names by its key.

-- Returns the session, or nil if it is missing or its owner is not `fence`. An empty fence is any owner (C38).
local function load_within(fence, key, with_payload)
  local head = load(key, with_payload)
  return head and (fence == '' or head.owner == fence) and head or nil
end

-- The record of a session.

local function unpack_record(key, record)
  local revision, created, deadline, flags, operation, scope, order, since, attempt, secret, lease_until, fencing, released, owner =
    string.match(record, RECORD)
  if not owner then
    unreadable(name('meta', key), 'it is no record of this version')
  end
  return {
    key = key, revision = revision, created = created,
    deadline = deadline == '0' and NEVER or tonumber(deadline), flags = flags, operation = operation, scope = scope,
    order = order, since = since, attempt = attempt, secret = secret, lease_until = tonumber(lease_until),
    fencing = fencing, released = released, owner = owner,
  }
end

local function pack_record(head)
  return '1 ' .. head.revision .. ' ' .. head.created .. ' ' .. (head.deadline == NEVER and '0' or text(head.deadline))
    .. ' ' .. head.flags .. ' ' .. head.operation .. ' ' .. head.scope .. ' ' .. head.order .. ' ' .. head.since
    .. ' ' .. head.attempt .. ' ' .. head.secret .. ' ' .. (head.lease_until == 0 and '0' or text(head.lease_until))
    .. ' ' .. head.fencing .. ' ' .. head.released .. ' ' .. head.owner
end

local function has(head, flag)
  return string.find(head.flags, flag, 2, true) ~= nil
end

-- On a Cluster a session bears the stamp of its pointer, at the end of the flags.
local function stamp_of(head)
  return string.match(head.flags, '%d*$')
end

-- Takes the wait from a head. The fencing number stays, so that it only ever grows.
local function make_idle(head)
  head.scope, head.order, head.since, head.attempt = '-', '0', '0', '0'
  head.secret, head.lease_until, head.released = '-', 0, '-'
end

-- What a verification has found (C23).

--- @include "lib/prelude"

local findings = {}

-- Reports a fault; `mend` repairs it.
local function report(fault, place, key, reason, mend)
  local repaired = mend and repair == '1'
  if repaired then
    mend()
    flush()
  end
  table.insert(findings, {fault, place, key or '', reason, repaired and 1 or 0})
end

-- Runs a check of a key. What it cannot read is a finding too.
local function report_unreadable(key, check, ...)
  local ok, failure = pcall(check, ...)
  if ok then
    return
  end
  writes = {}
  if type(failure) == 'string' then
    failure = {'UNREADABLE', key, 'it cannot be checked'} -- an error of this script
  elseif failure[1] ~= 'UNREADABLE' then
    error(failure)
  end
  table.insert(findings, failure)
end

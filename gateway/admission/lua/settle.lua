-- The end of a hold: settled once by its owner, or abandoned by the sweeper.

local function close(hold, actual)
  for _, counted in ipairs(hold[4]) do correct(counted, actual) end
  free_slot(hold[5])
end

-- The stream is full: the charge stays behind as a hold of its own that a later replay of
-- the journal closes, so that a reload of the allowance still finds it.
local function keep_charge(op, hold)
  if hold[7] then return end
  take_hold(op.user, op.reference)
  move(op.user, op.app, op.key, op.change)
  close(hold, op.actual)
  put_hold(op.user, op.reference, {op.amount, op.app, op.key, {}, '', hold[6], 'charged'}, LIVE_DAYS_MS)
end

-- op.change is held minus charged, as a signed string. Without a hold (swept, emptied,
-- settled before) the entry is late: the drain decides by the ledger what it is worth.
local function settle(op)
  if redis.call('XLEN', STREAM) >= op.max_backlog then
    local packed = redis.call('HGET', holds_key(op.user), op.reference)
    if packed then keep_charge(op, cmsgpack.unpack(packed)) end
    return {'FULL'}
  end
  for _, report in ipairs(op.reports) do note(report) end
  local hold = take_hold(op.user, op.reference)
  if not hold then
    return {'LATE', append('settle', '1', op.user, op.app, op.key, op.amount, op.event)}
  end
  if not hold[7] then
    move(op.user, op.app, op.key, op.change)
    close(hold, op.actual)
  end
  return {'OK', append('settle', '0', op.user, op.app, op.key, op.amount, op.event)}
end

-- Holds whose lease has run out: given back, and written down as abandoned.
local function sweep(op)
  local expired = redis.call('ZRANGEBYSCORE', HOLDS, '-inf', NOW, 'LIMIT', 0, op.limit)
  local swept = 0
  for _, member in ipairs(expired) do
    local user, reference = string.match(member, '^(%S+) (%S+)$')
    local hold = take_hold(user, reference)
    redis.call('ZREM', HOLDS, member)
    if hold then
      move(user, hold[2], hold[3], hold[1])
      close(hold, {r = '0', t = '0', n = '0'})
      append('abandon', '0', user, hold[2], hold[3], '0', hold[6])
      swept = swept + 1
    end
  end
  return {'OK', swept}
end

-- Only holds that still exist are renewed: a swept one must not come back.
local function renew(op)
  for _, member in ipairs(op.members) do redis.call('ZADD', HOLDS, 'XX', NOW + op.lease_ms, member) end
  return {'OK'}
end

-- After Redis was emptied the owner of a hold that is still open puts it back.
-- An allowance that was loaded without it is loaded anew.
local function reopen(op)
  redis.call('DEL', allowance_key(op.user))
  put_hold(op.user, op.reference, {op.amount, op.app, op.key, {}, '', op.info}, op.lease_ms)
  return {'OK'}
end

-- Admission: all checks first, then all effects; a refusal changes nothing.

-- {STALE} names what has moved on since the caller's snapshot was made.
local function stale(op)
  if newer('user', op.user, op.user_revision) then return 'user' end
  if newer('policy', op.policy, op.policy_revision) then return 'policy' end
  if newer('catalog', '', op.catalog_revision) then return 'catalog' end
  return nil
end

local function check(op)
  local moved = stale(op)
  if moved then return {'STALE', moved} end
  return {'OK'}
end

-- Takes the hold from every limited level, or from none; the level that refused and what it has.
-- What is overdrawn already is not reckoned with: far below zero the sum would not fit.
local function reserve(op, fields, values)
  local hash = allowance_key(op.user)
  local taken = {}
  for i, value in ipairs(values) do
    if value ~= 'inf' and op.amount ~= '0' then
      if string.sub(value, 1, 1) == '-' then
        for _, field in ipairs(taken) do redis.call('HINCRBY', hash, field, op.amount) end
        return fields[i], value
      end
      taken[#taken + 1] = fields[i]
      if redis.call('HINCRBY', hash, fields[i], negated(op.amount)) < 0 then
        for _, field in ipairs(taken) do redis.call('HINCRBY', hash, field, op.amount) end
        return fields[i], value
      end
    end
  end
  return nil
end

-- {LIMIT, meter, wait, {remaining, reset_ms} per meter}, of the meter that takes longest.
local function refused_by_meter(op)
  local index, longest
  for i, meter in ipairs(op.meters) do
    local wait = refusal(meter)
    if wait and (not longest or wait > longest) then index, longest = i, wait end
  end
  if not index then return nil end
  local left = {}
  for i, meter in ipairs(op.meters) do left[i] = remaining(meter) end
  return {'LIMIT', index - 1, whole(longest), left}
end

-- {OK, candidate, {remaining, reset_ms} per meter, limited, probes}, {BUSY, wait_ms, full}, ...
local function admit(op)
  local moved = stale(op)
  if moved then return {'STALE', moved} end
  local fields = level_fields(op.app, op.key)
  local values = redis.call('HMGET', allowance_key(op.user), unpack(fields))
  local limited = 0
  for i = 1, #fields do
    if not values[i] then return {'COLD'} end
    if values[i] ~= 'inf' then limited = 1 end
  end
  local refusal_reply = refused_by_meter(op)
  if refusal_reply then return refusal_reply end
  local index, probes, is_full = choose(op.candidates, op.least_busy)
  if not index then return {'BUSY', whole(probes), is_full and 1 or 0} end
  local level, available = reserve(op, fields, values)
  if level then return {'QUOTA', level, available} end

  local counted, left = {}, {}
  for i, meter in ipairs(op.meters) do
    counted[i] = count(meter)
    left[i] = remaining(meter)
  end
  local slot = occupy(op.candidates[index], probes, op.least_busy)
  put_hold(op.user, op.reference, {op.amount, op.app, op.key, counted, slot, op.info}, op.lease_ms)
  return {'OK', index - 1, left, limited, #probes}
end

-- A failover: another candidate under the same hold.
local function pick(op)
  local packed = redis.call('HGET', holds_key(op.user), op.reference)
  if not packed then return {'GONE'} end
  local hold = cmsgpack.unpack(packed)
  for _, report in ipairs(op.reports) do note(report) end
  -- Our own slot may be the one that is missing.
  free_slot(hold[5])
  local index, probes, is_full = choose(op.candidates, op.least_busy)
  if not index then
    if hold[5] ~= '' then redis.call('HINCRBY', SLOTS, hold[5], 1) end
    return {'BUSY', whole(probes), is_full and 1 or 0}
  end
  hold[5] = occupy(op.candidates[index], probes, op.least_busy)
  redis.call('HSET', holds_key(op.user), op.reference, cmsgpack.pack(hold))
  return {'OK', index - 1, #probes}
end

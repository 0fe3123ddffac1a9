-- Names, numbers and small steps that all operations share.
-- Amounts of money are strings and move by HINCRBY alone: Redis counts in 64-bit integers,
-- Lua in doubles, which are exact only up to 2^53 nanos (9 million dollars). The sign of a
-- reply is always right, and nothing here uses more than the sign.

local P = 'sluice:1:'
local EPOCH, STREAM, HOLDS, TRIMMED = P .. 'epoch', P .. 'settlements', P .. 'holds', P .. 'trimmed'
local HEALTH, SLOTS = P .. 'health', P .. 'slots'
local LIVE_DAYS_MS = 40 * 24 * 3600 * 1000

local clock = redis.call('TIME')
local NOW = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

local function allowance_key(user) return P .. 'u:' .. user end
local function holds_key(user) return P .. 'h:' .. user end

local function whole(number) return string.format('%.0f', number) end

-- Allowances in question, user first; app and key may be absent ('').
local function level_fields(app, key)
  local fields = {'u'}
  if app ~= '' then fields[#fields + 1] = 'a:' .. app end
  if key ~= '' then fields[#fields + 1] = 'k:' .. key end
  return fields
end

-- Adds a signed integer string to every limited and loaded level.
local function move(user, app, key, amount)
  if amount == '0' then return end
  local hash = allowance_key(user)
  local fields = level_fields(app, key)
  local values = redis.call('HMGET', hash, unpack(fields))
  for i, value in ipairs(values) do
    if value and value ~= 'inf' then redis.call('HINCRBY', hash, fields[i], amount) end
  end
end

local function negated(amount)
  if amount == '0' then return amount end
  if string.sub(amount, 1, 1) == '-' then return string.sub(amount, 2) end
  return '-' .. amount
end

-- A hold as it is kept: amount, app, key, meters, slot, info.
local function put_hold(user, reference, hold, lease_ms)
  redis.call('HSET', holds_key(user), reference, cmsgpack.pack(hold))
  redis.call('ZADD', HOLDS, NOW + lease_ms, user .. ' ' .. reference)
end

local function take_hold(user, reference)
  local packed = redis.call('HGET', holds_key(user), reference)
  if not packed then return nil end
  redis.call('HDEL', holds_key(user), reference)
  redis.call('ZREM', HOLDS, user .. ' ' .. reference)
  return cmsgpack.unpack(packed)
end

local function free_slot(slot)
  if slot ~= '' and redis.call('HINCRBY', SLOTS, slot, -1) <= 0 then redis.call('HDEL', SLOTS, slot) end
end

local function append(kind, late, user, app, key, amount, event)
  return redis.call('XADD', STREAM, '*', 't', kind, 'l', late, 'u', user, 'a', app, 'k', key,
    'n', amount, 'e', event)
end

local function newer(kind, id, revision)
  local current = redis.call('GET', P .. 'rev:' .. kind .. ':' .. id)
  return current and tonumber(current) > revision
end

local function id_parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms or 0), tonumber(seq or 0)
end

local function id_after(left, right)
  local left_ms, left_seq = id_parts(left)
  local right_ms, right_seq = id_parts(right)
  return left_ms > right_ms or (left_ms == right_ms and left_seq > right_seq)
end

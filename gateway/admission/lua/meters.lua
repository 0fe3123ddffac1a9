-- Meters limit how often and how much: {kind, key, limit, amount, window_ms, unit}.
--   "w" sliding window   two neighbouring buckets, the older one weighted by its overlap
--   "p" period           one counter per day or month; its key names the period, window_ms is
--                        what is left of it
--   "c" concurrency      what is open now, across all processes
-- unit: "r" requests, "t" tokens, "n" nanos. A reservation is corrected when the call settles.

-- Counters outlive their period a little, for settlements that come after its end.
local GRACE_MS = 3600000

local function bucket(meter, back)
  return P .. 'm:' .. meter[2] .. ':' .. whole(math.floor(NOW / meter[5]) - back)
end

local function window_use(meter)
  local used = tonumber(redis.call('GET', bucket(meter, 0)) or '0')
  local before = tonumber(redis.call('GET', bucket(meter, 1)) or '0')
  if before <= 0 then return used end
  return used + before * (1 - (NOW % meter[5]) / meter[5])
end

-- Exact for limits beyond 2^53, where a comparison of doubles is not.
local function beyond(limit, used, amount)
  if #limit < 15 then return tonumber(used) + tonumber(amount) > tonumber(limit) end
  local scratch = P .. 'scratch'
  redis.call('SET', scratch, limit)
  redis.call('DECRBY', scratch, used)
  local left = redis.call('DECRBY', scratch, amount)
  redis.call('DEL', scratch)
  return left < 0
end

-- Milliseconds until enough of the older bucket has slid out of the window; if this bucket
-- alone is too full, until enough of it has, in the next one.
local function window_wait(meter)
  local window, room = meter[5], tonumber(meter[3]) - tonumber(meter[4])
  local passed = NOW % window
  local used = tonumber(redis.call('GET', bucket(meter, 0)) or '0')
  local before = tonumber(redis.call('GET', bucket(meter, 1)) or '0')
  if used <= room and before > 0 then
    return math.max(1, math.ceil(window * (1 - (room - used) / before) - passed))
  end
  if room < 0 or used <= 0 then return window - passed end
  return window - passed + math.max(0, math.ceil(window * (1 - room / used)))
end

-- nil when the meter admits the amount, else milliseconds until it may.
local function refusal(meter)
  if meter[1] == 'w' then
    if window_use(meter) + tonumber(meter[4]) > tonumber(meter[3]) then
      return window_wait(meter)
    end
  elseif meter[1] == 'p' then
    local used = redis.call('GET', P .. 'm:' .. meter[2]) or '0'
    if beyond(meter[3], used, meter[4]) then return meter[5] end
  else
    local open = tonumber(redis.call('GET', P .. 'm:' .. meter[2]) or '0')
    if open + tonumber(meter[4]) > tonumber(meter[3]) then return 1000 end
  end
  return nil
end

local function count(meter)
  local key
  if meter[1] == 'w' then
    key = bucket(meter, 0)
    redis.call('INCRBY', key, meter[4])
    redis.call('PEXPIRE', key, whole(2 * meter[5]))
  else
    key = P .. 'm:' .. meter[2]
    redis.call('INCRBY', key, meter[4])
    redis.call('PEXPIRE', key, whole(meter[1] == 'p' and meter[5] + GRACE_MS or LIVE_DAYS_MS))
  end
  return {key, meter[1], meter[6], meter[4]}
end

-- What is left of each meter after this call, for the rate limit headers.
local function remaining(meter)
  if meter[1] == 'w' then
    return {whole(math.max(0, math.floor(tonumber(meter[3]) - window_use(meter)))),
      whole(meter[5] - NOW % meter[5])}
  end
  local used = tonumber(redis.call('GET', P .. 'm:' .. meter[2]) or '0')
  return {whole(math.max(0, tonumber(meter[3]) - used)), whole(meter[5])}
end

-- counted: what `count` returned; actual: {r, t, n} of the finished call, as strings.
local function correct(counted, actual)
  local key, kind, unit, reserved = counted[1], counted[2], counted[3], counted[4]
  if redis.call('EXISTS', key) == 0 then return end
  if kind == 'c' then
    if redis.call('DECRBY', key, reserved) <= 0 then redis.call('DEL', key) end
  elseif actual[unit] ~= reserved then
    redis.call('INCRBY', key, actual[unit])
    redis.call('DECRBY', key, reserved)
  end
end

-- Which backend may be tried: cool-downs, breakers and slots, shared by the whole cluster.
-- A candidate is {link, backend, key, slots, weight}. In the hash `health`, the field
-- "o:<id>" of a link, backend or key holds "c<until>" (cooling down) or "b<until>" (breaker
-- open; after that one probe per interval is let through), and "f:<id>" consecutive failures.

local PROBE_MS = 5000

-- true: usable; 'probe': usable as the one probe; false: not now.
local function usable(id)
  local state = redis.call('HGET', HEALTH, 'o:' .. id)
  if not state then return true end
  local kind, ends = string.sub(state, 1, 1), tonumber(string.sub(state, 2))
  if NOW < ends then return false end
  if kind == 'c' then
    redis.call('HDEL', HEALTH, 'o:' .. id)
    return true
  end
  return 'probe'
end

local function has_slot(candidate)
  if candidate[4] == 0 then return true end
  return tonumber(redis.call('HGET', SLOTS, candidate[2]) or '0') < candidate[4]
end

local function admits(candidate)
  local probes = {}
  for i = 1, 3 do
    local id = candidate[i]
    if id ~= '' then
      local answer = usable(id)
      if not answer then return nil end
      if answer == 'probe' then probes[#probes + 1] = id end
    end
  end
  if not has_slot(candidate) then return nil end
  return probes
end

local function load_of(candidate)
  local open = tonumber(redis.call('HGET', SLOTS, candidate[2]) or '0')
  return (open + 1) / math.max(candidate[5], 0.001)
end

-- Index (from 0) of the candidate to try and its slot, or nil. Nothing is changed yet.
local function choose(candidates, least_busy)
  local best, best_load, best_probes
  if redis.call('EXISTS', HEALTH) == 0 and not least_busy then
    for i, candidate in ipairs(candidates) do
      if has_slot(candidate) then return i, {} end
    end
    return nil
  end
  for i, candidate in ipairs(candidates) do
    local probes = admits(candidate)
    if probes then
      if not least_busy then return i, probes end
      local load = load_of(candidate)
      if not best or load < best_load then best, best_load, best_probes = i, load, probes end
    end
  end
  return best, best_probes
end

local function occupy(candidate, probes, least_busy)
  for _, id in ipairs(probes) do redis.call('HSET', HEALTH, 'o:' .. id, 'b' .. whole(NOW + PROBE_MS)) end
  if candidate[4] == 0 and not least_busy then return '' end
  redis.call('HINCRBY', SLOTS, candidate[2], 1)
  return candidate[2]
end

-- report: {id, verdict, ms, threshold}; verdict "ok", "fail" (counts towards the breaker)
-- or "cool" (leave it alone for ms).
local function note(report)
  local id, verdict = report[1], report[2]
  if verdict == 'ok' then
    if redis.call('EXISTS', HEALTH) == 1 then redis.call('HDEL', HEALTH, 'o:' .. id, 'f:' .. id) end
  elseif verdict == 'cool' then
    redis.call('HSET', HEALTH, 'o:' .. id, 'c' .. whole(NOW + report[3]))
  else
    local failures = redis.call('HINCRBY', HEALTH, 'f:' .. id, 1)
    if failures >= report[4] then redis.call('HSET', HEALTH, 'o:' .. id, 'b' .. whole(NOW + report[3])) end
  end
end

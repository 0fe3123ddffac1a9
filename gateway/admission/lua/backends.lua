-- Which backend may be tried: cool-downs, breakers and slots, shared by the whole cluster.
-- A candidate is {link, backend, key, slots, weight, tier}. The hash `health` holds, per link,
-- backend or key and only while something is wrong with it:
--   "o:<id>"  "c<until>" cooling down; "b<until>" breaker open; "p<until>" breaker half open: a
--             probe is under way. Past <until> an open breaker lets one probe through per interval.
--   "f:<id>"  failures in a row
--   "w:<id>"  what ended lately: packed {step, outcomes, failures} of the rolling window

local PROBE_MS = 5000
local STEP_MS, STEPS = 5000, 6
local MIN_OUTCOMES, FAILURE_RATIO = 10, 0.5
local SLOT_WAIT_MS = 1000
-- What nobody has heard of for so long says nothing any more, and healthy calls pay nothing for it.
local FORGET_MS = 600000

-- Kind ('' when usable) and milliseconds left of a field "o:<id>".
local function state_of(value)
  if not value then return '', 0 end
  local kind, left = string.sub(value, 1, 1), tonumber(string.sub(value, 2)) - NOW
  if kind == 'c' and left <= 0 then return '', 0 end
  return kind, math.max(0, left)
end

local function states(candidate)
  return redis.call('HMGET', HEALTH, 'o:' .. candidate[1], 'o:' .. candidate[2], 'o:' .. candidate[3])
end

local function open_slots(candidate)
  return tonumber(redis.call('HGET', SLOTS, candidate[2]) or '0')
end

local function has_slot(candidate)
  return candidate[4] == 0 or open_slots(candidate) < candidate[4]
end

-- What the candidate would be the probe of; or nil, how long it takes until it may be asked, and
-- whether only a slot is missing.
local function admits(candidate)
  local probes, wait = {}, 0
  for i, value in ipairs(states(candidate)) do
    local kind, left = state_of(value)
    if left > 0 then
      wait = math.max(wait, left)
    elseif kind ~= '' then
      probes[#probes + 1] = candidate[i]
    end
  end
  if wait > 0 then return nil, wait end
  if not has_slot(candidate) then return nil, SLOT_WAIT_MS, true end
  return probes
end

local function load_of(candidate)
  return (open_slots(candidate) + 1) / math.max(candidate[5], 0.001)
end

-- The first that is admitted; among the least busy, only those of its tier. Index (from 1) and
-- probes, or nil, the shortest wait and whether one is only full. Nothing is changed yet.
local function choose(candidates, least_busy)
  local is_healthy = redis.call('EXISTS', HEALTH) == 0
  local best, best_load, best_probes, best_tier
  local shortest, any_full = math.huge, false
  for i, candidate in ipairs(candidates) do
    local tier = candidate[6] or 0
    if best and tier ~= best_tier then break end
    local probes, wait, is_full
    if is_healthy then
      probes, wait, is_full = has_slot(candidate) and {} or nil, SLOT_WAIT_MS, true
    else
      probes, wait, is_full = admits(candidate)
    end
    if not probes then
      shortest, any_full = math.min(shortest, wait), any_full or is_full
    elseif not least_busy then
      return i, probes
    else
      local load = load_of(candidate)
      if not best or load < best_load then best, best_load, best_probes, best_tier = i, load, probes, tier end
    end
  end
  if best then return best, best_probes end
  return nil, shortest < math.huge and shortest or SLOT_WAIT_MS, any_full
end

local function remember_for(ms)
  local wanted = math.max(ms, FORGET_MS)
  if redis.call('PTTL', HEALTH) < wanted then redis.call('PEXPIRE', HEALTH, whole(wanted)) end
end

local function occupy(candidate, probes, least_busy)
  for _, id in ipairs(probes) do
    redis.call('HSET', HEALTH, 'o:' .. id, 'p' .. whole(NOW + PROBE_MS))
    remember_for(PROBE_MS)
  end
  if candidate[4] == 0 and not least_busy then return '' end
  redis.call('HINCRBY', SLOTS, candidate[2], 1)
  return candidate[2]
end

-- Counts an outcome in the rolling window; whether too many of them were failures. A window
-- without failures is not kept.
local function tally(id, packed, failures)
  local step, outcomes, bad, kept = math.floor(NOW / STEP_MS), 1, failures, {}
  for _, past in ipairs(packed and cmsgpack.unpack(packed) or {}) do
    if past[1] > step - STEPS then
      kept[#kept + 1] = past
      outcomes, bad = outcomes + past[2], bad + past[3]
    end
  end
  if bad == 0 then
    redis.call('HDEL', HEALTH, 'w:' .. id)
    return false
  end
  local last = kept[#kept]
  if not last or last[1] ~= step then
    last = {step, 0, 0}
    kept[#kept + 1] = last
  end
  last[2], last[3] = last[2] + 1, last[3] + failures
  redis.call('HSET', HEALTH, 'w:' .. id, cmsgpack.pack(kept))
  return outcomes >= MIN_OUTCOMES and bad >= FAILURE_RATIO * outcomes
end

-- An open breaker is closed by its probe alone: other answers were asked for before it opened.
local function succeeded(id, kind, fields)
  if kind == 'b' then return end
  if kind == 'p' then
    redis.call('HDEL', HEALTH, 'o:' .. id, 'f:' .. id, 'w:' .. id)
    return
  end
  if fields[1] and kind == '' then redis.call('HDEL', HEALTH, 'o:' .. id) end
  if fields[2] then redis.call('HDEL', HEALTH, 'f:' .. id) end
  if fields[3] then tally(id, fields[3], 0) end
end

local function failed(id, kind, left, fields, report)
  if kind == 'p' then
    redis.call('HSET', HEALTH, 'o:' .. id, 'b' .. whole(NOW + left))
  elseif kind ~= 'b' then
    local in_a_row = redis.call('HINCRBY', HEALTH, 'f:' .. id, 1)
    local are_too_many = tally(id, fields[3], 1)
    if are_too_many or in_a_row >= report[4] then
      redis.call('HSET', HEALTH, 'o:' .. id, 'b' .. whole(NOW + math.max(left, report[3])))
      redis.call('HDEL', HEALTH, 'f:' .. id, 'w:' .. id)
    end
  end
  remember_for(math.max(left, report[3]))
end

-- The later end counts, and a breaker stays one.
local function cool(id, kind, left, ms)
  local new_kind = (kind == 'b' or kind == 'p') and 'b' or 'c'
  local longest = math.max(left, ms)
  redis.call('HSET', HEALTH, 'o:' .. id, new_kind .. whole(NOW + longest))
  remember_for(longest)
end

-- report: {id, verdict, ms, threshold}; verdict "ok", "fail" (counts towards the breaker)
-- or "cool" (leave it alone for ms).
local function note(report)
  local id, verdict = report[1], report[2]
  if id == '' or (verdict == 'ok' and redis.call('EXISTS', HEALTH) == 0) then return end
  local fields = redis.call('HMGET', HEALTH, 'o:' .. id, 'f:' .. id, 'w:' .. id)
  local kind, left = state_of(fields[1])
  if verdict == 'ok' then
    succeeded(id, kind, fields)
  elseif verdict == 'cool' then
    cool(id, kind, left, report[3])
  else
    failed(id, kind, left, fields, report)
  end
end

local function note_all(op)
  for _, report in ipairs(op.reports) do note(report) end
  return {'OK'}
end

-- {OK, {link, backend, key, open slots} per candidate}: '' usable, 'c<ms>' cooling down, 'b<ms>'
-- breaker. Changes nothing.
local function look(op)
  local found = {}
  for i, candidate in ipairs(op.candidates) do
    local row = {}
    for j, value in ipairs(states(candidate)) do
      local kind, left = state_of(value)
      if kind == 'p' then kind = 'b' end
      row[j] = kind == '' and '' or kind .. whole(left)
    end
    row[4] = open_slots(candidate)
    found[i] = row
  end
  return {'OK', found}
end

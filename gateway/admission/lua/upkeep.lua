-- Loading allowances, moving revisions on, and taking away what the drain has written.

-- op.base: field → limit minus used as of op.watermark ("inf" without a limit). What the
-- database could not know yet is still here: settlements after the watermark, open holds.
local function load(op)
  local hash = allowance_key(op.user)
  if newer('user', op.user, op.user_revision) then return {'STALE', 'user'} end
  if id_after(redis.call('GET', TRIMMED) or '0-0', op.watermark) then return {'RETRY'} end
  redis.call('DEL', hash)
  for field, base in pairs(op.base) do redis.call('HSET', hash, field, base) end
  local from = '(' .. op.watermark
  while true do
    local entries = redis.call('XRANGE', STREAM, from, '+', 'COUNT', 500)
    for _, entry in ipairs(entries) do
      local f = entry[2]
      -- t, l, u, a, k, n, e in this order, see `append`
      if f[6] == op.user and f[4] == '0' then move(op.user, f[8], f[10], negated(f[12])) end
    end
    if #entries < 500 then break end
    from = '(' .. entries[#entries][1]
  end
  for _, packed in ipairs(redis.call('HVALS', holds_key(op.user))) do
    local hold = cmsgpack.unpack(packed)
    move(op.user, hold[2], hold[3], negated(hold[1]))
  end
  return {'OK'}
end

-- Whoever holds an older snapshot is answered STALE from now on.
local function bump(op)
  if newer(op.kind, op.id, op.revision - 1) then return {'OK'} end
  redis.call('SET', P .. 'rev:' .. op.kind .. ':' .. op.id, whole(op.revision))
  if op.kind == 'user' then redis.call('DEL', allowance_key(op.id)) end
  return {'OK'}
end

local function trim(op)
  if id_after(op.watermark, redis.call('GET', TRIMMED) or '0-0') then
    redis.call('SET', TRIMMED, op.watermark)
  end
  local ms, seq = id_parts(op.watermark)
  redis.call('XTRIM', STREAM, 'MINID', whole(ms) .. '-' .. whole(seq + 1))
  return {'OK'}
end

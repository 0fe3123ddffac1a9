-- ARGV[1]: the epoch the caller believes in ('' where it does not matter); then one packed
-- operation per argument. The replies come in the same order.

local OPERATIONS = {admit = admit, check = check, pick = pick, settle = settle, renew = renew,
  sweep = sweep, load = load, bump = bump, trim = trim, reopen = reopen}
local IN_ANY_EPOCH = {bump = true, trim = true, reopen = true}

local epoch = redis.call('GET', EPOCH) or ''
local replies = {}
for i = 2, #ARGV do
  local op = cmsgpack.unpack(ARGV[i])
  if not IN_ANY_EPOCH[op.op] and not op.replay and (epoch == '' or epoch ~= ARGV[1]) then
    replies[i - 1] = {'EPOCH', epoch}
  else
    replies[i - 1] = OPERATIONS[op.op](op)
  end
end
return replies

-- ARGV[1]: the epoch the caller believes in ('' where it does not matter); then one packed
-- operation per argument. The replies come in the same order.

local OPERATIONS = {admit = admit, check = check, pick = pick, settle = settle, renew = renew,
  sweep = sweep, load = load, bump = bump, trim = trim, reopen = reopen,
  note = note_all, look = look}
local IN_ANY_EPOCH = {bump = true, trim = true, reopen = true}

-- An operation that Redis refuses must not take the others of its batch with it.
local function run(op)
  local done, reply = pcall(OPERATIONS[op.op], op)
  if done then return reply end
  return {'ERROR', type(reply) == 'table' and reply.err or tostring(reply)}
end

local epoch = redis.call('GET', EPOCH) or ''
local replies = {}
for i = 2, #ARGV do
  local op = cmsgpack.unpack(ARGV[i])
  if not IN_ANY_EPOCH[op.op] and not op.replay and (epoch == '' or epoch ~= ARGV[1]) then
    replies[i - 1] = {'EPOCH', epoch}
  else
    replies[i - 1] = run(op)
  end
end
return replies

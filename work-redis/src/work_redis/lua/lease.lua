-- A job's lease is the hash field "lease" beside Go's "msgpack": token, score, deliveries. It counts only
-- while the queue still has that score: a Go worker that leases the job again, or puts it back, changes the
-- score and knows nothing of tokens.
local function lease_of(queue, key)
  local score = redis.call('ZSCORE', queue, key)
  local lease = score and redis.call('HGET', key, 'lease')
  if not lease then
    return nil
  end
  local token, recorded, deliveries = string.match(lease, '^(%S+) (%S+) (%d+)$')
  if token and tonumber(recorded) == tonumber(score) then
    return token, tonumber(deliveries)
  end
end

local function set_lease(key, token, score, deliveries)
  redis.call('HSET', key, 'lease', token .. ' ' .. score .. ' ' .. deliveries)
end


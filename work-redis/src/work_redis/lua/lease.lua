-- A job's lease is the hash field "lease" beside Go's "msgpack": token, score, deliveries. It counts only
-- while the queue still has that score: a Go worker that leases the job again, or puts it back, changes the
-- score and knows nothing of tokens.

-- Jobs that were leased in one call have one and the same text, so it is taken apart once.
local parsed = {}

local function parse(text)
  local lease = parsed[text]
  if not lease then
    local token, score, deliveries = string.match(text, '^(%S+) (%S+) (%d+)$')
    lease = {token = token, score = tonumber(score), deliveries = tonumber(deliveries)}
    parsed[text] = lease
  end
  return lease
end

-- Returns the token and the deliveries of the lease of a job, or nothing when it has none.
local function lease_of(queue, key)
  local score = redis.call('ZSCORE', queue, key)
  local text = score and redis.call('HGET', key, 'lease')
  if text then
    local lease = parse(text)
    if lease.score == tonumber(score) then
      return lease.token, lease.deliveries
    end
  end
end

local function lease_text(token, score, deliveries)
  return token .. ' ' .. score .. ' ' .. deliveries
end


-- Ack what is done, then lease what is due.
-- KEYS[1] the queue, KEYS[2] where records that are no jobs go. ARGV: now, lease end, limit, token, then
-- key and token of each job that is done.
-- Returns: positions (from 1) of the lost acks; keys set aside; key, record, deliveries of each leased job.
local queue, invalid = KEYS[1], KEYS[2]
local now, lease_end, limit, token = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]

local done, lost = {}, {}
for i = 5, #ARGV, 2 do
  local key = ARGV[i]
  if lease_of(queue, key) == ARGV[i + 1] then
    done[#done + 1] = key
  elseif redis.call('EXISTS', key) == 1 then
    lost[#lost + 1] = (i - 3) / 2
  end
end
if #done > 0 then
  redis.call('DEL', unpack(done))
  redis.call('ZREM', queue, unpack(done))
end

local leased, set_aside, scores = {}, {}, {}
local first_lease = lease_text(token, lease_end, 1)
local due = limit > 0 and redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, limit) or {}
for _, key in ipairs(due) do
  local fields = redis.pcall('HMGET', key, 'msgpack', 'lease')
  if fields.err and not string.find(fields.err, 'WRONGTYPE', 1, true) then
    return fields
  elseif fields.err then
    -- No hash could hold a lease, so it goes aside at once.
    redis.call('ZREM', queue, key)
    redis.call('ZADD', invalid, now, key)
    set_aside[#set_aside + 1] = key
  elseif fields[1] then
    local deliveries, text = 1, first_lease
    if fields[2] then
      local _, before = lease_of(queue, key)
      deliveries = (before or 0) + 1
      text = lease_text(token, lease_end, deliveries)
    end
    redis.call('HSET', key, 'lease', text)
    scores[#scores + 1] = lease_end
    scores[#scores + 1] = key
    leased[#leased + 1] = key
    leased[#leased + 1] = fields[1]
    leased[#leased + 1] = deliveries
  else
    -- The hash is gone: somebody deleted the job by hand.
    redis.call('ZREM', queue, key)
  end
end
if #scores > 0 then
  redis.call('ZADD', queue, unpack(scores))
end
return {lost, set_aside, leased}

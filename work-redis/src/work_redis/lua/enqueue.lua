-- KEYS[1] the queue. ARGV: key, score and record of each job.
local scores = {}
for i = 1, #ARGV, 3 do
  local key = ARGV[i]
  -- 0 new fields: the job was there and may be leased; its holder must lose it.
  if redis.call('HSET', key, 'msgpack', ARGV[i + 2]) == 0 then
    redis.call('HDEL', key, 'lease')
  end
  scores[#scores + 1] = ARGV[i + 1]
  scores[#scores + 1] = key
end
redis.call('ZADD', KEYS[1], unpack(scores))

-- KEYS[1] the queue. ARGV: key, token, score and record of each job. Returns positions of the lost.
local lost = {}
for i = 1, #ARGV, 4 do
  local key = ARGV[i]
  if lease_of(KEYS[1], key) == ARGV[i + 1] then
    redis.call('HSET', key, 'msgpack', ARGV[i + 3])
    redis.call('HDEL', key, 'lease')
    redis.call('ZADD', KEYS[1], ARGV[i + 2], key)
  else
    lost[#lost + 1] = (i + 3) / 4
  end
end
return lost

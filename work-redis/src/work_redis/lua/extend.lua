-- KEYS[1] the queue. ARGV: lease end, then key and token of each job. Returns positions of the lost.
local lost = {}
for i = 2, #ARGV, 2 do
  local key = ARGV[i]
  local token, deliveries = lease_of(KEYS[1], key)
  if token == ARGV[i + 1] then
    redis.call('HSET', key, 'lease', lease_text(token, ARGV[1], deliveries))
    redis.call('ZADD', KEYS[1], ARGV[1], key)
  else
    lost[#lost + 1] = i / 2
  end
end
return lost

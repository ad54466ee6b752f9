-- KEYS[1] the set of queue names, KEYS[2] the queue, KEYS[3] the schedule. ARGV: the queue's name, then
-- due time and job of each; a job without due time runs now.
local now, later = {}, {}
for i = 2, #ARGV, 2 do
  if ARGV[i] == '' then
    now[#now + 1] = ARGV[i + 1]
  else
    later[#later + 1] = ARGV[i]
    later[#later + 1] = ARGV[i + 1]
  end
end
if #now > 0 then
  redis.call('SADD', KEYS[1], ARGV[1])
  redis.call('LPUSH', KEYS[2], unpack(now))
end
if #later > 0 then
  redis.call('ZADD', KEYS[3], unpack(later))
end

-- KEYS[1] the queue. ARGV: keys. Returns for each 1 if it was there, else 0.
local deleted = {}
for i, key in ipairs(ARGV) do
  deleted[i] = redis.call('ZREM', KEYS[1], key)
  if deleted[i] == 1 then
    redis.call('DEL', key)
  end
end
return deleted

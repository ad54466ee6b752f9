-- KEYS[1] the queue, KEYS[2] where records that are no jobs go. ARGV: now, token, key of each record.
-- The token makes sure that nobody put a good job in its place meanwhile.
for i = 3, #ARGV do
  local key = ARGV[i]
  if lease_of(KEYS[1], key) == ARGV[2] then
    redis.call('HDEL', key, 'lease')
    redis.call('ZREM', KEYS[1], key)
    redis.call('ZADD', KEYS[2], ARGV[1], key)
  end
end

-- KEYS[1] the queue. ARGV: now. Returns how many are due, how many there are, and the first score.
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {
  redis.call('ZCOUNT', KEYS[1], '-inf', ARGV[1]),
  redis.call('ZCARD', KEYS[1]),
  first[2] or false,
}

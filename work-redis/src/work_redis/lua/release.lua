-- KEYS[1] holders. ARGV: holder.
redis.call('ZREM', KEYS[1], ARGV[1])

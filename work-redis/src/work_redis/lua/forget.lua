-- KEYS[1] the key. ARGV: owner. Returns 1 if the key was the owner's, else 0.
local value = redis.call('GET', KEYS[1])
if value and string.match(value, '^%S+ (.*)$') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0

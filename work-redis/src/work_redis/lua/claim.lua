-- KEYS[1] the key. ARGV: owner, now, end, period in milliseconds. Returns the owner who is in the way.
-- A value is end and owner. Go's value is a bare 1, which ends when the key expires.
local value = redis.call('GET', KEYS[1])
if value then
  local ends, owner = string.match(value, '^(%S+) (.*)$')
  if not tonumber(ends) then
    return value
  end
  if tonumber(ends) > tonumber(ARGV[2]) then
    return owner ~= ARGV[1] and owner
  end
end
redis.call('SET', KEYS[1], ARGV[3] .. ' ' .. ARGV[1], 'PX', ARGV[4])
return false

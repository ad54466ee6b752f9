-- KEYS[1] the queue. ARGV: keys. Returns for each a pair of record and deliveries, or false.
local found = {}
for i, key in ipairs(ARGV) do
  found[i] = false
  if redis.call('ZSCORE', KEYS[1], key) then
    local record = redis.pcall('HGET', key, 'msgpack')
    if type(record) == 'string' then
      local _, deliveries = lease_of(KEYS[1], key)
      found[i] = {record, deliveries or 0}
    end
  end
end
return found

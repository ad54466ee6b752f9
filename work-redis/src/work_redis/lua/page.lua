-- KEYS[1] the queue. ARGV: limit, then score and key of the last job that was seen, if any.
-- Returns key, score, record or false, deliveries of each job in due order.
local queue = KEYS[1]

local function comes_after(key, other)
  -- Bytes as Redis compares them; Lua's own < follows the server's locale.
  for i = 1, math.min(#key, #other) do
    local a, b = string.byte(key, i), string.byte(other, i)
    if a ~= b then
      return a > b
    end
  end
  return #key > #other
end

local function position_after(score, key)
  local rank = redis.call('ZRANK', queue, key)
  if rank and tonumber(redis.call('ZSCORE', queue, key)) == tonumber(score) then
    return rank + 1
  end
  -- That job went or moved: search for its place among those of equal score.
  local low = redis.call('ZCOUNT', queue, '-inf', '(' .. score)
  local high = low + redis.call('ZCOUNT', queue, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if comes_after(redis.call('ZRANGE', queue, middle, middle)[1], key) then
      high = middle
    else
      low = middle + 1
    end
  end
  return low
end

local start = ARGV[2] and position_after(ARGV[2], ARGV[3]) or 0
local members = redis.call('ZRANGE', queue, start, start + ARGV[1] - 1, 'WITHSCORES')
local page = {}
for i = 1, #members, 2 do
  local record = redis.pcall('HGET', members[i], 'msgpack')
  if type(record) ~= 'string' then
    record = false
  end
  local deliveries = 0
  if record then
    local _, counted = lease_of(queue, members[i])
    deliveries = counted or 0
  end
  page[#page + 1] = members[i]
  page[#page + 1] = members[i + 1]
  page[#page + 1] = record
  page[#page + 1] = deliveries
end
return page

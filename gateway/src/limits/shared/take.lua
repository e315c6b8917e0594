-- Takes one request from every count in KEYS, or from none of them. All gateways run this same text; the clock is the server's.
--
-- ARGV has four values for each key: the kind ("bucket" or "sliding"), the requests, in which time in microseconds, the burst.
-- The answer has three numbers for each key: 1 if there is room, what remains, and microseconds until all of it is there again
-- (or, without room, until the next request is taken).
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, puts, refused = {}, {}, false

local function number(value)
  return string.format('%.0f', value)
end

-- A year is the longest that anything is kept.
local function expire(key, micros)
  redis.call('PEXPIRE', key, number(math.min(math.ceil(micros / 1000) + 1, 366 * 86400000)))
end

-- One number: when the bucket will be full again.
local function bucket(key, requests, per, burst)
  local interval = per / requests
  local depth = burst * interval
  local full_at = tonumber(redis.call('GET', key) or '0')
  -- The clock may have been set back.
  full_at = math.min(math.max(full_at, now), now + depth) + interval
  local over = full_at - now - depth
  -- Sums of fractions are not exact.
  if over > interval / 1000 then return 0, 0, over end
  puts[#puts + 1] = function()
    redis.call('SET', key, string.format('%.3f', full_at))
    expire(key, full_at - now)
  end
  return 1, math.floor((depth - (full_at - now)) / interval + 0.001), full_at - now
end

-- Sixteen slots to a window; one that is partly in it counts as a whole.
local function sliding(key, requests, per)
  local slot = math.max(math.ceil(per / 16), 1)
  local latest = math.floor(now / slot)
  local sum, oldest, gone = 0, latest, {}
  local held = redis.call('HGETALL', key)
  for index = 1, #held, 2 do
    local at = tonumber(held[index])
    if at + 17 <= latest or at > latest then
      gone[#gone + 1] = held[index]
    else
      sum = sum + tonumber(held[index + 1])
      oldest = math.min(oldest, at)
    end
  end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
  if sum >= requests then return 0, 0, (oldest + 17) * slot - now end
  puts[#puts + 1] = function()
    redis.call('HINCRBY', key, number(latest), 1)
    expire(key, 17 * slot)
  end
  return 1, requests - sum - 1, (latest + 17) * slot - now
end

for index, key in ipairs(KEYS) do
  local first = 4 * index - 3
  local requests, per, burst = tonumber(ARGV[first + 1]), tonumber(ARGV[first + 2]), tonumber(ARGV[first + 3])
  local take = ARGV[first] == 'bucket' and bucket or sliding
  local has_room, remaining, micros = take(key, requests, per, burst)
  refused = refused or has_room == 0
  for _, value in ipairs({ has_room, remaining, math.ceil(micros) }) do
    answer[#answer + 1] = value
  end
end
if not refused then
  for _, put in ipairs(puts) do put() end
end
return answer

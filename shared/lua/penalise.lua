-- Slows a host down after it blocked us, or lets it be faster after it answered: its delay is multiplied,
-- and nothing goes before `until`.
-- KEYS: the hash of penalties. ARGV: host, now (s), until (s), half-life (s), factor, least (s), most (s)
-- A penalty is stored as "delay at until".
local now, half_life = tonumber(ARGV[2]), tonumber(ARGV[4])
local delay, at, till = string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '0 0 0', '(%S+) (%S+) (%S+)')
delay = tonumber(delay) * 0.5 ^ (math.max(now - tonumber(at), 0) / half_life)
delay = math.min(math.max(delay * tonumber(ARGV[5]), tonumber(ARGV[6])), tonumber(ARGV[7]))
till = math.max(tonumber(till), tonumber(ARGV[3]))
if delay < 0.05 and till <= now then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return '0'
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.3f %.3f %.3f', delay, now, till))
redis.call('EXPIRE', KEYS[1], 7200)
return string.format('%.3f', delay)

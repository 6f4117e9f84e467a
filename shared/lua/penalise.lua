-- Slows a host down after it blocked us, or lets it be faster after it answered: its delay is multiplied,
-- and nothing goes before `until`. Counts the blocking answers since the last other one.
-- KEYS: the hash of penalties. ARGV: host, now (s), until (s), half-life (s), factor, least (s), most (s),
--       blocked ("1": one more, "0": forget them, "": as it was)
-- A penalty is stored as "delay at until blocks since". Returns the number of blocks, and the time of the first as text.
local now, half_life = tonumber(ARGV[2]), tonumber(ARGV[4])
local stored = redis.call('HGET', KEYS[1], ARGV[1]) or '0 0 0 0 0'
local delay, at, till, blocks, since = string.match(stored, '(%S+) (%S+) (%S+) (%d+) (%S+)')
delay = tonumber(delay) * 0.5 ^ (math.max(now - tonumber(at), 0) / half_life)
local factor = tonumber(ARGV[5])
-- what was on its way when the host began to block says nothing new
if factor > 1 and now - tonumber(at) < delay then factor = 1 end
delay = math.min(math.max(delay * factor, tonumber(ARGV[6])), tonumber(ARGV[7]))
till = math.max(tonumber(till), tonumber(ARGV[3]))
blocks = ARGV[8] == '1' and blocks + 1 or ARGV[8] == '0' and 0 or tonumber(blocks)
if blocks <= 1 then since = ARGV[2] end
if delay < 0.05 and till <= now and blocks == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return { 0, '0' }
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.3f %.3f %.3f %d %s', delay, now, till, blocks, since))
redis.call('EXPIRE', KEYS[1], 7200)
return { blocks, tostring(since) }

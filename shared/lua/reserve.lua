-- A host's next free moment, kept as a reservation (docs/decisions.md, "Politeness").
-- KEYS: the host's hash, the task's slot. ARGV: now (s), interval (s), not before (s; 0: any time)
-- Returns the seconds to wait as text; "0": go, and the request counts as made now.
local now, interval, earliest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local last = tonumber(redis.call('HGET', KEYS[1], 'last') or '0')
local free = tonumber(redis.call('HGET', KEYS[1], 'next') or '0')
local mine = tonumber(redis.call('GET', KEYS[2]) or '0')
local allowed = math.max(last + interval, earliest)
local keep = math.ceil(math.max(free - now, 0) + interval * 2) + 60
if now >= allowed and (mine > 0 and mine <= now or free <= now) then
  redis.call('HSET', KEYS[1], 'last', ARGV[1], 'next', tostring(math.max(free, now + interval)))
  redis.call('EXPIRE', KEYS[1], keep)
  redis.call('DEL', KEYS[2])
  return '0'
end
local slot = math.max(mine, allowed)
if mine == 0 then
  slot = math.max(free, allowed)
  redis.call('HSET', KEYS[1], 'next', tostring(slot + interval))
  redis.call('EXPIRE', KEYS[1], keep)
end
redis.call('SET', KEYS[2], tostring(slot), 'EX', math.ceil(slot - now) + 60)
return tostring(slot - now)

-- A host's next free moment, kept as a reservation, and a place among its connections (docs/decisions.md, "Politeness").
-- KEYS: the host's hash, the task's slot, the host's connections.
-- ARGV: now (s; empty: Redis' own clock, the same for all), interval (s), not before (s; 0: any time),
--       urgent ("1": before those that have reserved: the request before it has been made already),
--       most connections (0: any number), who asks, how long a connection is held without a sign (s),
--       how long before it may be sent a request may begin to connect (s)
-- Returns the seconds to wait as text; "0": connect, the moment is taken (depart.lua has the last word before the
-- request is sent); "-1": all connections are taken.
local interval, earliest, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end

if most > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[3], 0, now)
  if not redis.call('ZSCORE', KEYS[3], ARGV[6]) and redis.call('ZCARD', KEYS[3]) >= most then return '-1' end
end

local function go(following)
  redis.call('HSET', KEYS[1], 'last', string.format('%.6f', now), 'next', string.format('%.6f', following))
  redis.call('EXPIRE', KEYS[1], math.ceil(math.max(following - now, 0) + interval * 2) + 60)
  redis.call('DEL', KEYS[2])
  if most > 0 then
    redis.call('ZADD', KEYS[3], now + tonumber(ARGV[7]), ARGV[6])
    redis.call('EXPIRE', KEYS[3], math.ceil(tonumber(ARGV[7])) + 60)
  end
  return '0'
end

local last = tonumber(redis.call('HGET', KEYS[1], 'last') or '0')
local free = tonumber(redis.call('HGET', KEYS[1], 'next') or '0')
local mine = tonumber(redis.call('GET', KEYS[2]) or '0')
-- what was let go and is not known to have left has left now at the earliest
local sent = math.max(tonumber(redis.call('HGET', KEYS[1], 'sent') or '0'), tonumber(redis.call('HGET', KEYS[1], 'opened') or '0'))
local allowed = math.max(last + interval, sent + interval - tonumber(ARGV[8]), earliest)
local is_turn = ARGV[4] == '1' or mine > 0 and mine <= now or free <= now
if now >= allowed and is_turn then return go(math.max(free, now + interval)) end
if ARGV[4] == '1' then return string.format('%.4f', allowed - now) end

local slot = math.max(mine, allowed)
if mine == 0 then
  slot = math.max(free, allowed)
  redis.call('HSET', KEYS[1], 'next', string.format('%.6f', slot + interval))
  redis.call('EXPIRE', KEYS[1], math.ceil(math.max(slot - now, 0) + interval * 2) + 60)
end
redis.call('SET', KEYS[2], string.format('%.4f', slot), 'EX', math.ceil(slot - now) + 60)
return string.format('%.4f', slot - now)

-- The last word before a request is sent on its open connection, and the note that it has left.
-- Between the two nobody else is let go, so the sent requests are an interval apart however late a process is.
-- KEYS: the host's hash.
-- ARGV: "go" or "went", now (s; empty: Redis' own clock, the same for all), who asks, interval (s),
--       not before (s; 0: any time), how long a request that was let go may take to leave (s)
-- Returns the seconds to wait as text; "0": send, then say "went".
local now = tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local interval, earliest, lease = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local host = redis.call('HMGET', KEYS[1], 'sent', 'opened', 'open')
local sent, opened, open = tonumber(host[1] or '0'), tonumber(host[2] or '0'), host[3]

if ARGV[1] == 'went' then
  if open == ARGV[3] then redis.call('HDEL', KEYS[1], 'open', 'opened') end
  redis.call('HSET', KEYS[1], 'sent', string.format('%.6f', now))
  redis.call('EXPIRE', KEYS[1], math.ceil(lease + interval * 2) + 60)
  return '0'
end

if open and open ~= ARGV[3] then
  if opened + lease > now then
    -- not heard of since: it leaves now at the earliest, or its word is on its way
    if interval > 0 then return string.format('%.6f', math.max(opened + interval - now, 0.01)) end
  else
    sent = math.max(sent, opened + lease)
  end
end
local allowed = math.max(sent + interval, earliest)
if now < allowed then return string.format('%.6f', allowed - now) end
redis.call('HSET', KEYS[1], 'open', ARGV[3], 'opened', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], math.ceil(lease + interval * 2) + 60)
return '0'

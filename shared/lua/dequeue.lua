-- Takes up to k jobs, the first queue first, and marks each started: popped and marked in one step,
-- so a worker that dies right after loses nothing.
-- KEYS: names of the queues. ARGV: prefix, worker, now (ISO), now (s), lease (s), k, then k execution ids
-- Returns per job: id, queue, execution, fields of its hash
local prefix, worker, iso, now, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local left, taken = tonumber(ARGV[6]), {}
if redis.call('EXISTS', prefix .. ':suspended') == 1 then return taken end

local function start(id, queue, execution)
  local key, composite = prefix .. ':job:' .. id, id .. ':' .. execution
  redis.call('HSET', key, 'status', 'started', 'started_at', iso, 'last_heartbeat', iso,
    'worker_name', worker, 'execution', execution)
  redis.call('PERSIST', key)
  local run = prefix .. ':execution:' .. composite
  redis.call('HSET', run, 'id', execution, 'job_id', id, 'created_at', now, 'last_heartbeat', now, 'worker_name', worker)
  redis.call('EXPIRE', run, lease)
  redis.call('ZADD', prefix .. ':executions:' .. id, now + lease + 60, execution)
  redis.call('EXPIRE', prefix .. ':executions:' .. id, lease + 60)
  redis.call('ZADD', prefix .. ':wip:' .. queue, now + lease, composite)
  redis.call('SADD', prefix .. ':worker:' .. worker .. ':executions', composite)
  redis.call('EXPIRE', prefix .. ':worker:' .. worker .. ':executions', lease + 60)
end

for _, queue in ipairs(KEYS) do
  while left > 0 and redis.call('SISMEMBER', 'crawlyard:paused', queue) == 0 do
    local id = redis.call('LPOP', prefix .. ':queue:' .. queue)
    if not id then break end
    local fields = redis.call('HGETALL', prefix .. ':job:' .. id)
    if #fields > 0 then
      local execution = ARGV[6 + left]
      start(id, queue, execution)
      taken[#taken + 1] = { id, queue, execution, fields }
      left = left - 1
    end
  end
end
local me = prefix .. ':worker:' .. worker
if #taken > 0 and redis.call('EXISTS', me) == 1 then redis.call('HSET', me, 'state', 'busy') end
return taken

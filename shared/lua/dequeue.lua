-- Takes up to k jobs, the first queue first, and marks each started: popped and marked in one step,
-- so a worker that dies right after loses nothing. What is the same for a whole batch is said once.
-- KEYS: names of the queues. ARGV: prefix, worker, now (ISO), now (s), lease (s), k, then k execution ids
-- Returns per job: id, queue, execution, fields of its hash
local prefix, worker, iso, now, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local left, taken, runs = tonumber(ARGV[6]), {}, {}
if redis.call('EXISTS', prefix .. ':suspended') == 1 then return taken end

local function start(id, key, execution)
  local composite = id .. ':' .. execution
  redis.call('HSET', key, 'status', 'started', 'started_at', iso, 'last_heartbeat', iso,
    'worker_name', worker, 'execution', execution)
  redis.call('PERSIST', key)
  local run = prefix .. ':execution:' .. composite
  redis.call('HSET', run, 'id', execution, 'job_id', id, 'created_at', now, 'last_heartbeat', now, 'worker_name', worker)
  redis.call('EXPIRE', run, lease)
  redis.call('ZADD', prefix .. ':executions:' .. id, now + lease + 60, execution)
  redis.call('EXPIRE', prefix .. ':executions:' .. id, lease + 60)
  return composite
end

for _, queue in ipairs(KEYS) do
  local marks, is_open = {}, left > 0 and redis.call('SISMEMBER', 'crawlyard:paused', queue) == 0
  while is_open and left > 0 do
    local ids = redis.call('LPOP', prefix .. ':queue:' .. queue, left)
    if not ids then break end
    for _, id in ipairs(ids) do
      local key = prefix .. ':job:' .. id
      local fields = redis.call('HGETALL', key)
      if #fields > 0 then
        local execution = ARGV[6 + left]
        local composite = start(id, key, execution)
        marks[#marks + 1] = now + lease
        marks[#marks + 1] = composite
        runs[#runs + 1] = composite
        taken[#taken + 1] = { id, queue, execution, fields }
        left = left - 1
      end
    end
  end
  if #marks > 0 then redis.call('ZADD', prefix .. ':wip:' .. queue, unpack(marks)) end
end
if #taken > 0 then
  local me = prefix .. ':worker:' .. worker
  redis.call('SADD', me .. ':executions', unpack(runs))
  redis.call('EXPIRE', me .. ':executions', lease + 60)
  if redis.call('EXISTS', me) == 1 then redis.call('HSET', me, 'state', 'busy') end
end
return taken

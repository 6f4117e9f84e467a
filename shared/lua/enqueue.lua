-- Puts jobs into their queues unless they are alive there already. Repeatable: the sweep calls it
-- for everything that the store believes queued (docs/decisions.md, "Dispatch").
-- ARGV: prefix, now (ISO), due ("1": a delayed job's time has come; "2": the store took it back from a
--       worker that stopped renewing, so a start of it counts no more), then 8 a job:
--       id, queue, data, description, timeout, result ttl, failure ttl, front ("1") or back
-- Returns the number of jobs enqueued.
local prefix, now, due = ARGV[1], ARGV[2], ARGV[3] ~= '0'
local taken_back = ARGV[3] == '2'
local enqueued, seconds = 0, tonumber(redis.call('TIME')[1])

local function running(id, queue)
  -- our worker's: the mark of its start, renewed while it lives
  local composite = id .. ':' .. (redis.call('HGET', prefix .. ':job:' .. id, 'execution') or '')
  local until_then = redis.call('ZSCORE', prefix .. ':wip:' .. queue, composite)
  if until_then and not taken_back and tonumber(until_then) > seconds then return true end
  redis.call('ZREM', prefix .. ':wip:' .. queue, composite)
  for _, execution in ipairs(redis.call('ZRANGE', prefix .. ':executions:' .. id, 0, -1)) do
    if not taken_back and redis.call('EXISTS', prefix .. ':execution:' .. id .. ':' .. execution) == 1 then
      return true
    end
    -- its worker died: take its marks away
    redis.call('ZREM', prefix .. ':wip:' .. queue, id .. ':' .. execution)
  end
  redis.call('DEL', prefix .. ':executions:' .. id)
  return false
end

-- A stock `rq worker` that dies right after its pop leaves a hash that says queued, and nothing else.
local function in_list(id, queue)
  local list = prefix .. ':queue:' .. queue
  return redis.call('LLEN', list) > 500 or redis.call('LPOS', list, id)
end

for i = 4, #ARGV, 8 do
  local id, queue = ARGV[i], ARGV[i + 1]
  local key = prefix .. ':job:' .. id
  local status = redis.call('HGET', key, 'status')
  local alive = (status == 'queued' and in_list(id, queue))
    or (status == 'started' and running(id, queue))
    or (status == 'scheduled' and not due and redis.call('ZSCORE', prefix .. ':scheduled:' .. queue, id))
  if not alive then
    redis.call('DEL', key)
    for _, registry in ipairs({ 'scheduled', 'finished', 'failed', 'canceled' }) do
      redis.call('ZREM', prefix .. ':' .. registry .. ':' .. queue, id)
    end
    redis.call('HSET', key, 'created_at', now, 'enqueued_at', now, 'status', 'queued', 'origin', queue,
      'data', ARGV[i + 2], 'description', ARGV[i + 3], 'timeout', ARGV[i + 4], 'result_ttl', ARGV[i + 5],
      'failure_ttl', ARGV[i + 6], 'dispatched', '1', 'started_at', '', 'ended_at', '',
      'success_callback_name', '', 'failure_callback_name', '', 'stopped_callback_name', '')
    redis.call('SADD', prefix .. ':queues', prefix .. ':queue:' .. queue)
    redis.call(ARGV[i + 7] == '1' and 'LPUSH' or 'RPUSH', prefix .. ':queue:' .. queue, id)
    enqueued = enqueued + 1
  end
end
if enqueued > 0 then
  redis.call('LPUSH', 'crawlyard:wake', '1')
  redis.call('LTRIM', 'crawlyard:wake', 0, 63)
  redis.call('EXPIRE', 'crawlyard:wake', 10)
end
return enqueued

-- Ends executions and leaves what RQ leaves: status, result, registry, the worker's counts.
-- A job that somebody else runs by now (or that was deleted) keeps its state; only our marks go.
-- ARGV: prefix, worker, now (ISO), now (s), then 9 a job:
--       verb (ok, fail, delay, release, drop), id, queue, execution, ttl (s; -1 for ever, 0 not at all),
--       result or error (base64), error (compressed), due (s), working time (s)
-- Returns per job 1 where its state was changed, 2 where also jobs depend on it, else 0.
local prefix, worker, iso, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local changed = {}

local function keep(id, registry, queue, ttl)
  local key = prefix .. ':job:' .. id
  redis.call('ZADD', prefix .. ':' .. registry .. ':' .. queue, ttl < 0 and '+inf' or now + ttl, id)
  if ttl > 0 then
    redis.call('EXPIRE', key, ttl)
    redis.call('EXPIRE', prefix .. ':results:' .. id, ttl)
  end
end

local function result(id, kind, field, value, execution, started)
  local fields = { 'type', kind, 'worker_name', worker, 'execution_id', execution,
    'execution_started_at', started or now, 'execution_ended_at', now }
  if value ~= '' then
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  redis.call('XADD', prefix .. ':results:' .. id, 'MAXLEN', 10, '*', unpack(fields))
end

local verbs = {}

function verbs.ok(id, queue, execution, ttl, value, _, _, started)
  if ttl == 0 then return redis.call('DEL', prefix .. ':job:' .. id) end
  redis.call('HSET', prefix .. ':job:' .. id, 'status', 'finished', 'ended_at', iso, 'last_heartbeat', iso)
  result(id, 1, 'return_value', value, execution, started)
  keep(id, 'finished', queue, ttl)
end

function verbs.fail(id, queue, execution, ttl, value, compressed, _, started)
  redis.call('HSET', prefix .. ':job:' .. id, 'status', 'failed', 'ended_at', iso, 'last_heartbeat', iso,
    'exc_info', compressed)
  -- without this mark a later start is an operator's requeue, not a duplicate delivery
  redis.call('HDEL', prefix .. ':job:' .. id, 'dispatched')
  result(id, 2, 'exc_string', value, execution, started)
  keep(id, 'failed', queue, ttl)
end

function verbs.delay(id, queue, _, _, _, _, due)
  redis.call('HSET', prefix .. ':job:' .. id, 'status', 'scheduled', 'dispatched', '1')
  redis.call('ZADD', prefix .. ':scheduled:' .. queue, due, id)
end

function verbs.release(id, queue)
  redis.call('HSET', prefix .. ':job:' .. id, 'status', 'queued', 'started_at', '')
  redis.call('LPUSH', prefix .. ':queue:' .. queue, id)
  redis.call('LPUSH', 'crawlyard:wake', '1')
  redis.call('EXPIRE', 'crawlyard:wake', 10)
end

function verbs.drop(id)
  redis.call('DEL', prefix .. ':job:' .. id)
end

-- gathered over the batch: what to take out of each set, and the worker's counts
local gone, left_wip, left_mine, ok, failed, worked = {}, {}, {}, 0, 0, 0

for i = 5, #ARGV, 9 do
  local verb, id, queue, execution = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local composite = id .. ':' .. execution
  local run = prefix .. ':execution:' .. composite
  local started = redis.call('HGET', run, 'created_at')
  gone[#gone + 1] = run
  left_wip[queue] = left_wip[queue] or {}
  table.insert(left_wip[queue], composite)
  left_mine[#left_mine + 1] = composite
  redis.call('ZREM', prefix .. ':executions:' .. id, execution)
  local job = redis.call('HMGET', prefix .. ':job:' .. id, 'status', 'execution')
  local ours = job[1] == 'started' and job[2] == execution
  if ours then
    verbs[verb](id, queue, execution, tonumber(ARGV[i + 4]), ARGV[i + 5], ARGV[i + 6], ARGV[i + 7], started)
  end
  if verb == 'ok' then ok = ok + 1 elseif verb == 'fail' then failed = failed + 1 end
  worked = worked + tonumber(ARGV[i + 8])
  local depended = ours and redis.call('EXISTS', prefix .. ':job:' .. id .. ':dependents') == 1
  changed[#changed + 1] = depended and 2 or (ours and 1 or 0)
end

if #changed > 0 then
  local me = prefix .. ':worker:' .. worker
  redis.call('DEL', unpack(gone))
  for queue, composites in pairs(left_wip) do redis.call('ZREM', prefix .. ':wip:' .. queue, unpack(composites)) end
  redis.call('SREM', me .. ':executions', unpack(left_mine))
  if redis.call('EXISTS', me) == 1 then
    if ok > 0 then redis.call('HINCRBY', me, 'successful_job_count', ok) end
    if failed > 0 then redis.call('HINCRBY', me, 'failed_job_count', failed) end
    redis.call('HINCRBYFLOAT', me, 'total_working_time', worked)
  end
end
return changed

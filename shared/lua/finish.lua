-- Ends executions and leaves what RQ leaves: status, result, registry, the worker's counts.
-- A job that somebody else runs by now (or that was deleted) keeps its state; only our marks go.
-- ARGV: prefix, worker, now (ISO), now (s), working time of all (s), then 8 a job:
--       verb (ok, fail, delay, release, drop), id, queue, execution, begun (s), ttl (s; -1 for ever, 0 not at all),
--       result or error (base64), more (fail: the error compressed; delay: due, s)
-- Returns per job 1 where its state was changed, 2 where also jobs depend on it, else 0.
local prefix, worker, iso, now = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local job_keys, result_keys, call = prefix .. ':job:', prefix .. ':results:', redis.call

local function gather(lists, key, value)
  local list = lists[key] or {}
  lists[key] = list
  list[#list + 1] = value
end

local function result(id, ttl, ...)
  call('XADD', result_keys .. id, 'MAXLEN', 10, '*', 'worker_name', worker, 'execution_ended_at', now, ...)
  if ttl > 0 then
    call('EXPIRE', job_keys .. id, ttl)
    call('EXPIRE', result_keys .. id, ttl)
  end
end

local registries = { ok = 'finished', fail = 'failed' }
local verbs = {}

function verbs.ok(id, _, execution, begun, ttl, value)
  if ttl == 0 then return call('DEL', job_keys .. id) end
  call('HSET', job_keys .. id, 'status', 'finished', 'ended_at', iso, 'last_heartbeat', iso)
  local told = value == '' and {} or { 'return_value', value }
  result(id, ttl, 'type', 1, 'execution_id', execution, 'execution_started_at', begun, unpack(told))
end

function verbs.fail(id, _, execution, begun, ttl, value, compressed)
  call('HSET', job_keys .. id, 'status', 'failed', 'ended_at', iso, 'last_heartbeat', iso,
    'exc_info', compressed)
  -- without this mark a later start is an operator's requeue, not a duplicate delivery
  call('HDEL', job_keys .. id, 'dispatched')
  result(id, ttl, 'type', 2, 'execution_id', execution, 'execution_started_at', begun, 'exc_string', value)
end

function verbs.delay(id, queue, _, _, _, _, due)
  call('HSET', job_keys .. id, 'status', 'scheduled', 'dispatched', '1')
  call('ZADD', prefix .. ':scheduled:' .. queue, due, id)
end

function verbs.release(id, queue)
  call('HSET', job_keys .. id, 'status', 'queued', 'started_at', '')
  call('LPUSH', prefix .. ':queue:' .. queue, id)
  call('LPUSH', 'crawlyard:wake', '1')
  call('EXPIRE', 'crawlyard:wake', 10)
end

function verbs.drop(id)
  call('DEL', job_keys .. id)
end

-- first what is the same for the batch: should Redis refuse one job below, the others are complete
local left_wip, kept, composites, related, changed = {}, {}, {}, {}, {}
for i = 6, #ARGV, 8 do
  local verb, id, queue, execution, ttl = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 5])
  local composite = id .. ':' .. execution
  local job = call('HMGET', job_keys .. id, 'status', 'execution')
  local ours = job[1] == 'started' and job[2] == execution
  changed[#changed + 1] = ours and 1 or 0
  composites[#composites + 1] = composite
  related[#related + 1] = prefix .. ':executions:' .. id
  related[#related + 1] = job_keys .. id .. ':dependents'
  gather(left_wip, prefix .. ':wip:' .. queue, composite)
  if ours and registries[verb] and not (verb == 'ok' and ttl == 0) then
    local registry = prefix .. ':' .. registries[verb] .. ':' .. queue
    gather(kept, registry, ttl < 0 and '+inf' or now + ttl)
    gather(kept, registry, id)
  end
end
if #changed == 0 then return changed end
for key, entries in pairs(kept) do call('ZADD', key, unpack(entries)) end
for key, gone in pairs(left_wip) do call('ZREM', key, unpack(gone)) end

local me = prefix .. ':worker:' .. worker
-- of most nothing was told by renew.lua, and nothing depends on them
if call('EXISTS', unpack(related)) > 0 then
  for n, composite in ipairs(composites) do
    call('ZREM', related[2 * n - 1], ARGV[8 * n + 1])
    call('DEL', prefix .. ':execution:' .. composite)
    if changed[n] == 1 and call('EXISTS', related[2 * n]) == 1 then changed[n] = 2 end
  end
  call('SREM', me .. ':executions', unpack(composites))
end

local ok, failed = 0, 0
for n, code in ipairs(changed) do
  local i = 8 * n - 2
  local verb = ARGV[i]
  if code > 0 then
    verbs[verb](ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], tonumber(ARGV[i + 5]), ARGV[i + 6], ARGV[i + 7])
    -- what is told again, since a script before it was not there yet, counts once
    if verb == 'ok' then ok = ok + 1 elseif verb == 'fail' then failed = failed + 1 end
  end
end
if call('EXISTS', me) == 1 then
  if ok > 0 then call('HINCRBY', me, 'successful_job_count', ok) end
  if failed > 0 then call('HINCRBY', me, 'failed_job_count', failed) end
  call('HINCRBYFLOAT', me, 'total_working_time', ARGV[5])
end
return changed

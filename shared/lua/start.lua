-- Tells of jobs that a worker has started itself, in the place of others that it has ended: as enqueue.lua and dequeue.lua
-- would leave them, without a queue in between. What somebody else has made known already is left to him.
-- ARGV: prefix, worker, now (ISO), now (s), lease (s), then 8 a job:
--       id, queue, data, description, timeout, result ttl, failure ttl, execution
-- Returns per job 1 where it was told, 2 where also no more are to be started (suspended or paused meanwhile), else 0.
local prefix, worker, iso, now, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local is_suspended = redis.call('EXISTS', prefix .. ':suspended') == 1
local told, marks, is_paused = {}, {}, {}

for i = 6, #ARGV, 8 do
  local id, queue, execution = ARGV[i], ARGV[i + 1], ARGV[i + 7]
  local key = prefix .. ':job:' .. id
  if redis.call('EXISTS', key) == 1 then
    told[#told + 1] = 0
  else
    redis.call('HSET', key, 'created_at', iso, 'enqueued_at', iso, 'status', 'started', 'origin', queue,
      'data', ARGV[i + 2], 'description', ARGV[i + 3], 'timeout', ARGV[i + 4], 'result_ttl', ARGV[i + 5],
      'failure_ttl', ARGV[i + 6], 'dispatched', '1', 'started_at', iso, 'last_heartbeat', iso, 'ended_at', '',
      'success_callback_name', '', 'failure_callback_name', '', 'stopped_callback_name', '',
      'worker_name', worker, 'execution', execution)
    marks[queue] = marks[queue] or {}
    table.insert(marks[queue], now + lease)
    table.insert(marks[queue], id .. ':' .. execution)
    if is_paused[queue] == nil then
      is_paused[queue] = is_suspended or redis.call('SISMEMBER', 'crawlyard:paused', queue) == 1
    end
    told[#told + 1] = is_paused[queue] and 2 or 1
  end
end

for queue, entries in pairs(marks) do redis.call('ZADD', prefix .. ':wip:' .. queue, unpack(entries)) end
return told

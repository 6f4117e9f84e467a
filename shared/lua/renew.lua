-- Tells of executions what RQ tells (`job.get_executions()`, a worker's current ones), and renews their
-- leases. One that is over, or that somebody else has taken over, is left alone.
-- ARGV: prefix, worker, now (s), lease (s), then 4 an execution: job's id, queue, execution, begun (s)
local prefix, worker, now, lease = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local mine = prefix .. ':worker:' .. worker .. ':executions'
for i = 5, #ARGV, 4 do
  local id, queue, execution, begun = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local composite = id .. ':' .. execution
  local job = redis.call('HMGET', prefix .. ':job:' .. id, 'status', 'execution')
  if job[1] == 'started' and job[2] == execution then
    local run, runs = prefix .. ':execution:' .. composite, prefix .. ':executions:' .. id
    redis.call('HSET', run, 'id', execution, 'job_id', id, 'created_at', begun, 'last_heartbeat', now,
      'worker_name', worker)
    redis.call('EXPIRE', run, lease)
    redis.call('ZADD', runs, now + lease + 60, execution)
    redis.call('EXPIRE', runs, lease + 60)
    redis.call('ZADD', prefix .. ':wip:' .. queue, 'XX', now + lease, composite)
    redis.call('SADD', mine, composite)
  end
end
redis.call('EXPIRE', mine, lease + 60)

-- Registers jobs as scheduled (API: delayed) unless they are there already, in whatever state: the
-- caller's word may be old by now, and a job that waits, runs or has ended since must not be lost.
-- ARGV: prefix, now (ISO), then 8 a job: id, queue, data, description, timeout, result ttl, failure ttl, due (s)
local prefix, now = ARGV[1], ARGV[2]
for i = 3, #ARGV, 8 do
  local id, queue = ARGV[i], ARGV[i + 1]
  local key = prefix .. ':job:' .. id
  local status = redis.call('HGET', key, 'status')
  if not status or (status == 'scheduled' and not redis.call('ZSCORE', prefix .. ':scheduled:' .. queue, id)) then
    redis.call('DEL', key)
    redis.call('HSET', key, 'created_at', now, 'status', 'scheduled', 'origin', queue,
      'data', ARGV[i + 2], 'description', ARGV[i + 3], 'timeout', ARGV[i + 4], 'result_ttl', ARGV[i + 5],
      'failure_ttl', ARGV[i + 6], 'dispatched', '1', 'started_at', '', 'ended_at', '',
      'success_callback_name', '', 'failure_callback_name', '', 'stopped_callback_name', '')
    redis.call('SADD', prefix .. ':queues', prefix .. ':queue:' .. queue)
    redis.call('ZADD', prefix .. ':scheduled:' .. queue, ARGV[i + 7], id)
  end
end
return (#ARGV - 2) / 8

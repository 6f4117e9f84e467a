-- Takes away what dead executions of tasks left. If the record still wants such a task, the sweep
-- enqueues it afresh; if it had ended, nothing is owed.
-- ARGV: prefix, queue, now (s). Returns the number of executions reaped.
local prefix, queue = ARGV[1], ARGV[2]
local wip = prefix .. ':wip:' .. queue
local expired = redis.call('ZRANGEBYSCORE', wip, 0, ARGV[3], 'LIMIT', 0, 1000)
for _, composite in ipairs(expired) do
  local id, execution = string.match(composite, '^([^:]+):(.+)$')
  redis.call('ZREM', wip, composite)
  if id then
    redis.call('DEL', prefix .. ':execution:' .. composite)
    redis.call('ZREM', prefix .. ':executions:' .. id, execution)
    local job = redis.call('HMGET', prefix .. ':job:' .. id, 'status', 'execution')
    if job[1] == 'started' and job[2] == execution then redis.call('DEL', prefix .. ':job:' .. id) end
  end
end
-- and delays that are long over: the record has moved on, or remembers them and tells again
for _, id in ipairs(redis.call('ZRANGEBYSCORE', prefix .. ':scheduled:' .. queue, 0, ARGV[3] - 60, 'LIMIT', 0, 1000)) do
  redis.call('ZREM', prefix .. ':scheduled:' .. queue, id)
  if redis.call('HGET', prefix .. ':job:' .. id, 'status') == 'scheduled' then redis.call('DEL', prefix .. ':job:' .. id) end
end
return #expired

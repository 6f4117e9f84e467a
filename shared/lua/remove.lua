-- Takes jobs out of Redis: queue, delayed set, hash. Marks of running executions go with their end.
-- ARGV: prefix, then 2 a job: id, queue
local prefix = ARGV[1]
for i = 2, #ARGV, 2 do
  local id, queue = ARGV[i], ARGV[i + 1]
  redis.call('LREM', prefix .. ':queue:' .. queue, 0, id)
  for _, registry in ipairs({ 'scheduled', 'finished', 'failed', 'canceled' }) do
    redis.call('ZREM', prefix .. ':' .. registry .. ':' .. queue, id)
  end
  redis.call('DEL', prefix .. ':job:' .. id, prefix .. ':results:' .. id)
end
return (#ARGV - 1) / 2

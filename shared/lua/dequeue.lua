-- Takes up to k jobs, the first queue first, and marks each started: popped and marked in one step,
-- so a worker that dies right after loses nothing. What is the same for a whole batch is said once.
-- Executions are told in full by renew.lua when they have lasted a moment: most are over by then.
-- KEYS: names of the queues. ARGV: prefix, worker, now (ISO), now (s), lease (s), k, then k execution ids,
--       then the names of the fields wanted of each job's hash: first status and data, one of which each has
-- Returns per job: id, queue, execution, values of those fields
local prefix, worker, iso, now, lease = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local left, taken, call = tonumber(ARGV[6]), {}, redis.call
local wanted = { unpack(ARGV, 7 + left) }
if call('EXISTS', prefix .. ':suspended') == 1 then return taken end

for _, queue in ipairs(KEYS) do
  local marks, is_open = {}, left > 0 and call('SISMEMBER', 'crawlyard:paused', queue) == 0
  while is_open and left > 0 do
    local ids = call('LPOP', prefix .. ':queue:' .. queue, left)
    if not ids then break end
    for _, id in ipairs(ids) do
      local key = prefix .. ':job:' .. id
      local fields = call('HMGET', key, unpack(wanted))
      if fields[1] or fields[2] then
        local execution = ARGV[6 + left]
        taken[#taken + 1] = { id, queue, execution, fields }
        call('HSET', key, 'status', 'started', 'started_at', iso, 'last_heartbeat', iso,
          'worker_name', worker, 'execution', execution)
        call('PERSIST', key)
        marks[#marks + 1] = now + lease
        marks[#marks + 1] = id .. ':' .. execution
        left = left - 1
      end
    end
  end
  if #marks > 0 then call('ZADD', prefix .. ':wip:' .. queue, unpack(marks)) end
end
if #taken > 0 then
  local me = prefix .. ':worker:' .. worker
  if call('EXISTS', me) == 1 then call('HSET', me, 'state', 'busy') end
end
return taken

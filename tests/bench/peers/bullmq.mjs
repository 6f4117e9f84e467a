// BullMQ, concurrency 50. Run with its node_modules beside it.
import { writeFileSync } from 'node:fs';
import { Queue, Worker } from 'bullmq';

const wanted = Number(process.env.BENCH_JOBS);
const url = new URL(process.env.REDIS_URL);
const connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };

if (process.argv[2] === 'enqueue') {
  const queue = new Queue('bench', { connection });
  for (let start = 0; start < wanted; start += 500) {
    const n = Math.min(500, wanted - start);
    await queue.addBulk(Array.from({ length: n }, () => ({ name: 'noop', data: {} })));
  }
  await queue.close();
} else {
  let n = 0, began, cpu;
  new Worker('bench', async () => {
    n += 1;
    if (n === 1) { began = performance.now(); cpu = process.cpuUsage(); }
    if (n === wanted) {
      const used = process.cpuUsage(cpu);
      const told = {
        jobs: wanted - 1, seconds: (performance.now() - began) / 1000, cpu: (used.user + used.system) / 1e6,
        memory_mb: process.memoryUsage().rss / 1048576,
      };
      setTimeout(() => { writeFileSync(process.env.BENCH_REPORT, JSON.stringify(told)); process.exit(0); }, 500);
    }
    return n;
  }, { connection, concurrency: 50 });
}

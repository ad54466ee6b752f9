// BullMQ on Redis; jobs that are done are deleted.
const { Queue, Worker } = require("bullmq");
const probe = require("../probe.cjs");

const { hostname: host, port } = new URL(process.env.BENCH_URL);
const connection = { host, port: Number(port), maxRetriesPerRequest: null };
const options = { removeOnComplete: true };
let queue;

exports.connect = async () => {
  queue = new Queue("bench", { connection });
  await queue.waitUntilReady();
};
exports.disconnect = () => queue.close();
exports.enqueue = (kind, number) => queue.add(kind, { number }, options);
exports.enqueueMany = (kind, numbers) =>
  queue.addBulk(numbers.map((number) => ({ name: kind, data: { number }, opts: options })));

if (require.main === module) {
  new Worker("bench", (job) => probe[job.name](job.data.number), {
    connection,
    concurrency: Number(process.env.BENCH_CONCURRENCY),
  });
}

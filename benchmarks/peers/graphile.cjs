// graphile-worker on PostgreSQL, with its local queue of 500 and delayed batches of completions.
const { makeWorkerUtils, run, Logger } = require("graphile-worker");
const probe = require("../probe.cjs");

const connectionString = process.env.BENCH_URL;
const logger = new Logger(() => () => {});
let utils;

exports.connect = async () => {
  utils = await makeWorkerUtils({ connectionString, logger });
  await utils.migrate();
};
exports.disconnect = () => utils.release();
exports.enqueue = (kind, number) => utils.addJob(kind, { number });
exports.enqueueMany = (kind, numbers) =>
  utils.addJobs(numbers.map((number) => ({ identifier: kind, payload: { number } })));

if (require.main === module) {
  run({
    taskList: {
      noop: ({ number }) => probe.noop(number),
      io: ({ number }) => probe.io(number),
    },
    preset: {
      worker: {
        connectionString,
        logger,
        concurrentJobs: Number(process.env.BENCH_CONCURRENCY),
        maxPoolSize: 10,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
}

// What every job does in Node.js: append to the same file as in probe.py, in the same form.
const fs = require("node:fs");

const file = fs.openSync(process.env.BENCH_PROBE, "a");
const startedAt = BigInt(Math.round(performance.timeOrigin * 1e6));

exports.now = () => startedAt + BigInt(Math.round(performance.now() * 1e6));
exports.mark = (number) => {
  const time = String(exports.now()).padStart(19, "0");
  fs.writeSync(file, `${time} ${String(number).padStart(10, "0")}\n`);
};
exports.noop = async (number) => exports.mark(number);
exports.io = async (number) => {
  await new Promise((done) => setTimeout(done, 10));
  exports.mark(number);
};

// The enqueuing process of a measurement, in Node.js: the commands of produce.py.
const fs = require("node:fs");
const probe = require("./probe.cjs");

const BULK = 1000;
const LINE = 31;
const WARM = 5;
const PATIENCE = 20e3;
const sleep = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
const range = (from, to) => Array.from({ length: to - from }, (_, index) => from + index);

async function seconds(action) {
  const began = performance.now();
  await action();
  return (performance.now() - began) / 1e3;
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

async function ran(count) {
  const deadline = performance.now() + PATIENCE;
  while (fs.statSync(process.env.BENCH_PROBE).size < count * LINE) {
    if (performance.now() > deadline) throw new Error(`the worker did not run job ${count}`);
    await sleep(1);
  }
}

async function fill(peer, kind, count) {
  const took = await seconds(async () => {
    for (let start = 0; start < count; start += BULK) {
      await peer.enqueueMany(kind, range(start, Math.min(start + BULK, count)));
    }
  });
  return { seconds: took };
}

async function time(peer, ones, bulks) {
  const singles = [];
  const many = [];
  for (const number of range(0, Number(ones))) {
    singles.push(await seconds(() => peer.enqueue("noop", number)));
  }
  for (const _ of range(0, Number(bulks))) {
    many.push(await seconds(() => peer.enqueueMany("noop", range(0, BULK))));
  }
  return {
    one: median(singles.slice(Math.floor(singles.length / 10))) * 1e6,
    bulk: (median(many.slice(1)) * 1e6) / BULK,
  };
}

async function latency(peer, count, limit) {
  const sent = [];
  let deadline = Infinity;
  for (const number of range(0, Number(count) + WARM)) {
    if (number === WARM) deadline = performance.now() + limit * 1e3;
    await sleep(50 + Math.random() * 50);
    sent.push(probe.now());
    await peer.enqueue("noop", number);
    await ran(number + 1);
    if (performance.now() > deadline) break;
  }
  const started = new Map();
  for (const line of fs.readFileSync(process.env.BENCH_PROBE, "utf8").trim().split("\n")) {
    const [at, number] = line.split(" ");
    started.set(Number(number), BigInt(at));
  }
  const took = range(WARM, sent.length).map((number) => Number(started.get(number) - sent[number]) / 1e6);
  return { milliseconds: took };
}

async function main([module, command, ...words]) {
  const peer = require(`./peers/${module}.cjs`);
  await peer.connect();
  const found = await { fill, time, latency }[command](peer, ...words);
  console.log(JSON.stringify(found));
  await peer.disconnect();
  process.exit(0);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});

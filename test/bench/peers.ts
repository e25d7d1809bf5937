/**
 * `npm run bench:peers`: what a request costs in CPU, beside the peers, all in one run on this machine. Rounds are
 * interleaved (A B C D A B C D …), so that what else the machine does hits all alike; medians are compared.
 * Exit code 99: lb-proxy costs more than it may (issue: a read at most 1.1 × fast-proxy; durable writes to 9 nodes
 * with `ack: all` at least 1,000/s, at most 1,000 µs each).
 */
import { rmSync } from "node:fs";
import { numberFlags } from "./arguments.ts";
import { asManyAsPossible, byWrk, fixedRate, LOGIN, type Served } from "./client.ts";
import {
  type Contender,
  startBackends,
  startFastProxy,
  startFloor,
  startHaproxy,
  startLbProxy,
} from "./contenders.ts";
import { findProgram, isInMemory, machineLine } from "./machine.ts";
import { type Measurement, measure, type Summary, summarize } from "./measure.ts";
import { temporaryDir } from "./temporary-dir.ts";

const READ_BACKENDS = 3;
const WRITE_BACKENDS = 9;
const WARM_UP_SECONDS = 3;
const MAX_READ_RATIO = 1.1;
const MIN_WRITES = 1000;
const MAX_WRITE_MICROS = 1000;

const settings = numberFlags({
  rounds: { default: 5, min: 1, max: 50 },
  seconds: { default: 4, min: 1, max: 60 },
  rate: { default: 3000, min: 100, max: 20_000 },
  "writes-at-once": { default: 64, min: 1, max: 1000 },
});
const wrk = process.argv.some((word) => word.startsWith("--rate")) ? null : findProgram("wrk");

const dir = temporaryDir("lbctl-bench-");
try {
  say(machineLine());
  const missed = [...(await compareReads()), ...(await measureWrites())];
  say(
    missed.length === 0 ? "\nwithin all limits" : `\nMISSED\n${missed.map((line) => `  ${line}`).join("\n")}`,
  );
  process.exitCode = missed.length === 0 ? 0 : 99;
} finally {
  rmSync(dir, { recursive: true, force: true });
}

async function compareReads(): Promise<string[]> {
  await using running = new AsyncDisposableStack();
  const backends = await startBackends(READ_BACKENDS, dir);
  running.defer(() => backends.child.stop());
  const lb = await startLbProxy(backends.urls, dir);
  running.defer(() => lb.child.stop());
  const contenders: Contender[] = [lb];
  for (const start of [startFastProxy, startHaproxy, startFloor]) {
    const contender = await start(backends.urls, dir);
    if (contender === null) say("haproxy: not installed (apt-get install haproxy), left out");
    else contenders.push(contender);
    if (contender !== null) running.defer(() => contender.child.stop());
  }
  const client =
    wrk === null ? `own client, ${settings.rate}/s at a fixed rate` : "wrk -t1 -c32, as many as it takes";
  say(
    `reads: GET /login, round robin over ${READ_BACKENDS} bare node:http backends (one process); ${client}`,
  );
  say(
    `lb-proxy is ${lb.from} with default settings, access log to a file; fast-proxy over undici; haproxy with one thread`,
  );
  const summaries = await interleaved(contenders, (url, seconds) =>
    wrk === null ? fixedRate(url, () => LOGIN, settings.rate, seconds) : byWrk(wrk, url, seconds),
  );
  printReads(contenders, summaries);
  return judgeReads(summaries);
}

async function interleaved(
  contenders: readonly Contender[],
  load: (url: string, seconds: number) => Promise<Served>,
): Promise<Summary[]> {
  for (const { url } of contenders) await load(url, WARM_UP_SECONDS);
  const rounds = new Map(contenders.map((contender) => [contender, [] as Measurement[]]));
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const [contender, measured] of rounds) {
      measured.push(await measure(contender, () => load(contender.url, settings.seconds)));
    }
  }
  return [...rounds].map(([{ name }, measured]) => summarize(name, measured));
}

function printReads(contenders: readonly Contender[], summaries: readonly Summary[]): void {
  const reference = summaries.find(({ name }) => name === "fast-proxy")?.micros ?? Number.NaN;
  say(
    "\n                      CPU µs a read (median, least to most)   × fast-proxy    rate/s   p50 ms   p99 ms  errors",
  );
  for (const [index, summary] of summaries.entries()) {
    const name = `${summary.name} ${contenders[index]?.version}`.padEnd(24);
    const micros =
      `${summary.micros.toFixed(1)} (${summary.from.toFixed(1)} to ${summary.to.toFixed(1)})`.padStart(35);
    const ratio = (summary.micros / reference).toFixed(2).padStart(15);
    say(`${name}${micros}${ratio}${columns(summary)}`);
  }
}

function columns({ rate, p50, p99, errors }: Summary): string {
  return [
    rate.toFixed(0).padStart(10),
    p50.toFixed(2).padStart(9),
    p99.toFixed(2).padStart(9),
    String(errors).padStart(8),
  ].join("");
}

function judgeReads(summaries: readonly Summary[]): string[] {
  const micros = (name: string) => summaries.find((summary) => summary.name === name)?.micros ?? Number.NaN;
  const ratio = micros("lb-proxy") / micros("fast-proxy");
  const errors = summaries.filter((summary) => summary.errors > 0);
  return [
    ...errors.map(({ name, errors: count }) => `${name}: expected no errors, got ${count}`),
    ...(ratio <= MAX_READ_RATIO
      ? []
      : [`a read: expected at most ${MAX_READ_RATIO} × fast-proxy, got ${ratio.toFixed(2)} ×`]),
  ];
}

async function measureWrites(): Promise<string[]> {
  await using running = new AsyncDisposableStack();
  const backends = await startBackends(WRITE_BACKENDS, dir);
  running.defer(() => backends.child.stop());
  const lb = await startLbProxy(backends.urls, dir);
  running.defer(() => lb.child.stop());
  let user = 0;
  const register = () => {
    user += 1;
    const headers = ["content-type", "application/x-www-form-urlencoded"];
    return {
      method: "POST",
      path: "/register",
      headers,
      body: `username=user-${user}&password=secret-${user}`,
    } as const;
  };
  const disk = isInMemory(dir) ? "IN MEMORY: an fsync costs nothing here" : "on disk";
  const atOnce = settings["writes-at-once"];
  say(
    `\nwrites: POST /register, durable (journal ${disk}), ack: all, ${WRITE_BACKENDS} bare backends (one process); ${atOnce} at once, as many as it takes`,
  );
  const [summary] = await interleaved([lb], (url, seconds) =>
    asManyAsPossible(url, register, atOnce, seconds),
  );
  if (summary === undefined) throw new Error("expected a measurement");
  say(
    "                      CPU µs a write (median, least to most)                  rate/s   p50 ms   p99 ms  errors",
  );
  const micros =
    `${summary.micros.toFixed(1)} (${summary.from.toFixed(1)} to ${summary.to.toFixed(1)})`.padStart(35);
  say(`${`${summary.name} ${lb.version}`.padEnd(24)}${micros}${"".padStart(15)}${columns(summary)}`);
  return judgeWrites(summary);
}

function judgeWrites({ rate, micros, errors }: Summary): string[] {
  return [
    ...(errors === 0 ? [] : [`writes: expected no errors, got ${errors}`]),
    ...(rate >= MIN_WRITES ? [] : [`writes: expected at least ${MIN_WRITES}/s, got ${rate.toFixed(0)}/s`]),
    ...(micros <= MAX_WRITE_MICROS
      ? []
      : [`a write: expected at most ${MAX_WRITE_MICROS} µs, got ${micros.toFixed(0)} µs`]),
  ];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

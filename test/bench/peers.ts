/**
 * `npm run bench:peers`: what a request costs in CPU, beside the peers, all in one run on this machine. Rounds are
 * interleaved (A B C D A B C D …), so that what else the machine does hits all alike; ratios are taken round by round.
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
import { type Measurement, measure, median, type Summary, summarize } from "./measure.ts";
import { temporaryDir } from "./temporary-dir.ts";

const READ_BACKENDS = 3;
const WRITE_BACKENDS = 9;
const WARM_UP_SECONDS = 3;
const MAX_READ_RATIO = 1.1;
const MIN_WRITES = 1000;
const MAX_WRITE_MICROS = 1000;
/** Its place among the readers. */
const FAST_PROXY = 1;

const settings = numberFlags({
  rounds: { default: 9, min: 1, max: 50 },
  seconds: { default: 3, min: 1, max: 60 },
  rate: { default: 3000, min: 100, max: 20_000 },
  "writes-at-once": { default: 64, min: 1, max: 1000 },
});
const wrk = process.argv.some((word) => word.startsWith("--rate")) ? null : findProgram("wrk");

/** Who is measured, with the load that it gets. */
interface Entrant {
  readonly contender: Contender;
  readonly load: (url: string, seconds: number) => Promise<Served>;
}

const dir = temporaryDir("lbctl-bench-");
try {
  await using running = new AsyncDisposableStack();
  say(machineLine());
  const readers = await startReaders(running);
  const writer = await startWriter(running);
  const rounds = await interleaved([...readers, writer]);
  const written = rounds.at(-1) ?? [];
  const read = rounds.slice(0, -1);
  printReads(readers, read);
  printWrites(writer, written);
  const missed = [...judgeReads(readers, read), ...judgeWrites(summarize("writes", written))];
  say(
    missed.length === 0 ? "\nwithin all limits" : `\nMISSED\n${missed.map((line) => `  ${line}`).join("\n")}`,
  );
  process.exitCode = missed.length === 0 ? 0 : 99;
} finally {
  rmSync(dir, { recursive: true, force: true });
}

/** lb-proxy first, then fast-proxy, which it is compared with. */
async function startReaders(running: AsyncDisposableStack): Promise<Entrant[]> {
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
  const load = (url: string, seconds: number) =>
    wrk === null ? fixedRate(url, () => LOGIN, settings.rate, seconds) : byWrk(wrk, url, seconds);
  return contenders.map((contender) => ({ contender, load }));
}

async function startWriter(running: AsyncDisposableStack): Promise<Entrant> {
  const backends = await startBackends(WRITE_BACKENDS, dir);
  running.defer(() => backends.child.stop());
  const contender = await startLbProxy(backends.urls, dir);
  running.defer(() => contender.child.stop());
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
  const atOnce = settings["writes-at-once"];
  return { contender, load: (url, seconds) => asManyAsPossible(url, register, atOnce, seconds) };
}

/** The measurements of each, round by round. */
async function interleaved(entrants: readonly Entrant[]): Promise<Measurement[][]> {
  for (const { contender, load } of entrants) await load(contender.url, WARM_UP_SECONDS);
  const rounds = entrants.map((): Measurement[] => []);
  for (let round = 0; round < settings.rounds; round += 1) {
    for (const [index, { contender, load }] of entrants.entries()) {
      rounds[index]?.push(await measure(contender, () => load(contender.url, settings.seconds)));
    }
  }
  return rounds;
}

/**
 * Of the same rounds, one beside the other, the median of the ratios: a machine that is shared runs at another speed
 * every few seconds, and a ratio of two medians would compare rounds of different speeds.
 */
function ratioTo(reference: readonly Measurement[], measured: readonly Measurement[]): number {
  return median(
    measured.map(
      ({ microsPerRequest }, round) => microsPerRequest / (reference[round]?.microsPerRequest ?? Number.NaN),
    ),
  );
}

function printReads(readers: readonly Entrant[], rounds: readonly (readonly Measurement[])[]): void {
  say(
    "\n                      CPU µs a read (median, least to most)   × fast-proxy    rate/s   p50 ms   p99 ms  errors",
  );
  for (const [index, { contender }] of readers.entries()) {
    const measured = rounds[index] ?? [];
    const summary = summarize(contender.name, measured);
    const name = `${summary.name} ${contender.version}`.padEnd(24);
    const ratio = ratioTo(rounds[FAST_PROXY] ?? [], measured)
      .toFixed(2)
      .padStart(15);
    say(`${name}${microsOf(summary)}${ratio}${columns(summary)}`);
  }
}

function printWrites({ contender }: Entrant, measured: readonly Measurement[]): void {
  const disk = isInMemory(dir) ? "IN MEMORY: an fsync costs nothing here" : "on disk";
  say(
    `\nwrites: POST /register, durable (journal ${disk}), ack: all, ${WRITE_BACKENDS} bare backends (one process); ${settings["writes-at-once"]} at once, as many as it takes`,
  );
  say(
    "                      CPU µs a write (median, least to most)                  rate/s   p50 ms   p99 ms  errors",
  );
  const summary = summarize(contender.name, measured);
  const name = `${summary.name} ${contender.version}`.padEnd(24);
  say(`${name}${microsOf(summary)}${"".padStart(15)}${columns(summary)}`);
}

function microsOf({ micros, from, to }: Summary): string {
  return `${micros.toFixed(1)} (${from.toFixed(1)} to ${to.toFixed(1)})`.padStart(35);
}

function columns({ rate, p50, p99, errors }: Summary): string {
  return [
    rate.toFixed(0).padStart(10),
    p50.toFixed(2).padStart(9),
    p99.toFixed(2).padStart(9),
    String(errors).padStart(8),
  ].join("");
}

function judgeReads(readers: readonly Entrant[], rounds: readonly (readonly Measurement[])[]): string[] {
  const ratio = ratioTo(rounds[FAST_PROXY] ?? [], rounds[0] ?? []);
  const summaries = readers.map(({ contender }, index) => summarize(contender.name, rounds[index] ?? []));
  const errors = summaries.filter((summary) => summary.errors > 0);
  return [
    ...errors.map(({ name, errors: count }) => `${name}: expected no errors, got ${count}`),
    ...(ratio <= MAX_READ_RATIO
      ? []
      : [`a read: expected at most ${MAX_READ_RATIO} × fast-proxy, got ${ratio.toFixed(2)} ×`]),
  ];
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

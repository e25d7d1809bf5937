/**
 * `npm run bench:metrics`: what the metrics cost. A read's CPU with counting and without, two processes of the same
 * source in pairs, which of them comes first in turn; and how long a scrape takes at nine nodes, alone and with reads
 * going on. Exit code 99: counting costs a read more than 5 %, or a scrape takes 20 ms or more (medians).
 */
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { numberFlags } from "./arguments.ts";
import { fixedRate, LOGIN } from "./client.ts";
import { startBackends } from "./contenders.ts";
import { type FromSource, startFromSource } from "./from-source.ts";
import { cpuMicros, machineLine } from "./machine.ts";
import { measure, median, spread } from "./measure.ts";
import { temporaryDir } from "./temporary-dir.ts";

const NODES = 9;
const WARM_UP_SECONDS = 5;
const MAX_READ_RATIO = 1.05;
const MAX_SCRAPE_MS = 20;
const PAUSE_MS = 20;
const FORMATS = { text: "text/plain", OpenMetrics: "application/openmetrics-text" };

const settings = numberFlags({
  pairs: { default: 12, min: 10, max: 100 },
  seconds: { default: 5, min: 1, max: 60 },
  rate: { default: 2000, min: 100, max: 20_000 },
});

const dir = temporaryDir("lbctl-bench-");
try {
  say(machineLine());
  await using running = new AsyncDisposableStack();
  const backends = await startBackends(NODES, dir);
  running.defer(() => backends.child.stop());
  const counting = await startFromSource(dir, "counting", backends.urls);
  running.defer(() => counting.child.stop());
  const silent = await startFromSource(dir, "silent", backends.urls);
  running.defer(() => silent.child.stop());
  const missed = [...(await compareReads(counting, silent)), ...(await timeScrapes(counting))];
  say(missed.length === 0 ? "\nwithin all limits" : `\nMISSED\n  ${missed.join("\n  ")}`);
  process.exitCode = missed.length === 0 ? 0 : 99;
} finally {
  rmSync(dir, { recursive: true, force: true });
}

/** CPU of each in pairs, so that what else the machine does hits both alike. */
async function compareReads(counting: FromSource, silent: FromSource): Promise<string[]> {
  const { pairs, rate, seconds } = settings;
  const load = ({ url }: FromSource, time: number) => fixedRate(url, () => LOGIN, rate, time);
  const micros = new Map([counting, silent].map((balancer) => [balancer, [] as number[]]));
  for (const balancer of micros.keys()) await load(balancer, WARM_UP_SECONDS);
  for (let pair = 0; pair < pairs; pair++) {
    for (const balancer of pair % 2 === 0 ? [counting, silent] : [silent, counting]) {
      const { microsPerRequest, errors } = await measure(balancer, () => load(balancer, seconds));
      if (errors > 0) throw new Error(`${balancer.name}: expected no errors, got ${errors}`);
      micros.get(balancer)?.push(microsPerRequest);
    }
  }
  return judgeReads(micros.get(counting) ?? [], micros.get(silent) ?? []);
}

function judgeReads(counting: readonly number[], silent: readonly number[]): string[] {
  const ratios = counting.map((micros, pair) => micros / (silent[pair] ?? Number.NaN));
  const ratio = median(ratios);
  const { pairs, rate, seconds } = settings;
  say(`\nCPU µs a read, ${NODES} nodes, ${rate}/s; ${pairs} pairs of ${seconds} s (median, least to most)`);
  say(`  counting  ${spread(counting, 1)}`);
  say(`  silent    ${spread(silent, 1)}`);
  say(`  ratio     ${spread(ratios, 3)}`);
  if (ratio <= MAX_READ_RATIO) return [];
  return [`a read: expected at most ${MAX_READ_RATIO} × its CPU without metrics, got ${ratio.toFixed(3)} ×`];
}

async function timeScrapes(balancer: FromSource): Promise<string[]> {
  const { rate, seconds } = settings;
  say(`\na scrape, ${NODES} nodes, ms (median, least to most)`);
  const medians: number[] = [];
  for (const [format, accept] of Object.entries(FORMATS)) {
    const before = cpuMicros(balancer.child.pid);
    const alone = await scrapeFor(balancer, accept, seconds);
    const micros = (cpuMicros(balancer.child.pid) - before) / alone.length;
    say(`  ${format}, alone: ${spread(alone, 2)}, ${micros.toFixed(0)} µs of CPU`);
    const reads = fixedRate(balancer.url, () => LOGIN, rate, seconds);
    const loaded = await scrapeFor(balancer, accept, seconds);
    await reads;
    say(`  ${format}, with ${rate} reads/s: ${spread(loaded, 2)}`);
    medians.push(median(alone), median(loaded));
  }
  const most = Math.max(...medians);
  if (most < MAX_SCRAPE_MS) return [];
  return [`a scrape: expected less than ${MAX_SCRAPE_MS} ms, got ${most.toFixed(1)} ms`];
}

/** One scrape after the other, with a pause between; how long each took, from the request to the last byte. */
async function scrapeFor(balancer: FromSource, accept: string, seconds: number): Promise<number[]> {
  const { adminUrl, authorization } = balancer;
  const until = performance.now() + seconds * 1000;
  const times: number[] = [];
  while (performance.now() < until) {
    const startedAt = performance.now();
    const response = await fetch(`${adminUrl}/metrics`, { headers: { accept, authorization } });
    const body = await response.text();
    if (!body.includes("lb_build_info")) throw new Error(`expected metrics, got: ${body.slice(0, 200)}`);
    times.push(performance.now() - startedAt);
    await sleep(PAUSE_MS);
  }
  return times;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

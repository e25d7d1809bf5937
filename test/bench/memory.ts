/**
 * `npm run bench:memory -- --minutes 10`: the balancer's memory under the default load (1,000 reads/s and 100
 * writes/s to 9 nodes), sampled. Exit code 99: above 200 MB, or still growing in the second half.
 */
import { rmSync } from "node:fs";
import { runBench } from "../../cli/bench/bench.ts";
import { numberFlags } from "./arguments.ts";
import { startBackends, startLbProxy } from "./contenders.ts";
import { machineLine, residentBytes } from "./machine.ts";
import { temporaryDir } from "./temporary-dir.ts";
import { type Sample, trendOf } from "./trend.ts";

const NODES = 9;
const SAMPLE_MS = 1000;
const SAID_EVERY_MS = 30_000;
const MAX_BYTES = 200e6;
/** What the heap may move by without it being a leak. */
const NOISE_BYTES = 8e6;

const { minutes, reads, writes } = numberFlags({
  minutes: { default: 10, min: 0.1, max: 60 },
  reads: { default: 1000, min: 1, max: 20_000 },
  writes: { default: 100, min: 1, max: 5000 },
});

const dir = temporaryDir("lbctl-memory-");
try {
  process.exitCode = await watchMemory();
} finally {
  rmSync(dir, { recursive: true, force: true });
}

async function watchMemory(): Promise<number> {
  await using running = new AsyncDisposableStack();
  const backends = await startBackends(NODES, dir);
  running.defer(() => backends.child.stop());
  const lb = await startLbProxy(backends.urls, dir);
  running.defer(() => lb.child.stop());
  say(machineLine());
  say(`${lb.from}, ${NODES} bare backends, ${reads} reads/s and ${writes} writes/s for ${minutes} min`);
  const samples: Sample[] = [];
  const sampling = setInterval(() => takeSample(samples, lb.child.pid), SAMPLE_MS);
  running.defer(async () => clearInterval(sampling));
  // Bare backends keep no passwords, so rivals would both succeed.
  const load = { url: lb.url, reads, writes, durationMs: Math.round(minutes * 60_000), rivalShare: 0 };
  const report = await runBench(load);
  return judge(samples, [...report.failures]);
}

function takeSample(samples: Sample[], pid: number): void {
  const last = samples.at(-1);
  const sample = { atMs: performance.now(), bytes: residentBytes(pid) };
  samples.push(sample);
  if (
    last === undefined ||
    Math.floor(sample.atMs / SAID_EVERY_MS) !== Math.floor(last.atMs / SAID_EVERY_MS)
  ) {
    say(`${(sample.atMs / 60_000).toFixed(1).padStart(5)} min  ${megabytes(sample.bytes)}`);
  }
}

function judge(samples: readonly Sample[], problems: string[]): number {
  const { max, secondHalf } = trendOf(samples);
  say(
    `max ${megabytes(max)}; second half: ${signed(secondHalf.bytesPerMinute / 1e6)} MB a minute, ${signed(secondHalf.growth / 1e6)} MB in all`,
  );
  if (max > MAX_BYTES) problems.push(`expected at most ${megabytes(MAX_BYTES)}, got ${megabytes(max)}`);
  if (secondHalf.growth > NOISE_BYTES) {
    problems.push(
      `expected memory to stay flat in the second half, got ${signed(secondHalf.growth / 1e6)} MB`,
    );
  }
  say(problems.length === 0 ? "flat" : `MISSED\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  return problems.length === 0 ? 0 : 99;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function signed(value: number): string {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

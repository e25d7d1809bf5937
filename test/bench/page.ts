/**
 * `npm run bench:page`: what the stats page costs. A read's CPU while nobody looks and while someone does, in pairs at
 * the same balancer, which of them comes first in turn; then what is done each second, timed by itself: the sample,
 * which is always taken, and the page's markup, for those who look. Exit code 99: a page that is open costs reads more
 * than 5 %, or a sample takes 1 ms or more (medians).
 */
import { rmSync } from "node:fs";
import { text } from "node:stream/consumers";
import { statsFragment } from "../../proxy/admin/stats/page.ts";
import { viewOf } from "../../proxy/admin/stats/view.ts";
import { historyJson } from "../../proxy/history/history-json.ts";
import { SimulatedCluster } from "../support/simulated-cluster.ts";
import { numberFlags } from "./arguments.ts";
import { fixedRate, LOGIN } from "./client.ts";
import { startBackends } from "./contenders.ts";
import { type FromSource, startFromSource } from "./from-source.ts";
import { machineLine } from "./machine.ts";
import { measure, median, spread } from "./measure.ts";
import { temporaryDir } from "./temporary-dir.ts";

const NODES = 9;
const WARM_UP_SECONDS = 5;
const TIMES = 200;
const MAX_READ_RATIO = 1.05;
const MAX_SAMPLE_MS = 1;

const settings = numberFlags({
  pairs: { default: 12, min: 1, max: 100 },
  seconds: { default: 5, min: 1, max: 60 },
  rate: { default: 2000, min: 100, max: 20_000 },
});

const dir = temporaryDir("lbctl-bench-");
try {
  say(machineLine());
  const missed = [...(await timeParts()), ...(await compareReads())];
  say(missed.length === 0 ? "\nwithin all limits" : `\nMISSED\n  ${missed.join("\n  ")}`);
  process.exitCode = missed.length === 0 ? 0 : 99;
} finally {
  rmSync(dir, { recursive: true, force: true });
}

async function compareReads(): Promise<string[]> {
  await using running = new AsyncDisposableStack();
  const backends = await startBackends(NODES, dir);
  running.defer(() => backends.child.stop());
  const balancer = await startFromSource(dir, "counting", backends.urls);
  running.defer(() => balancer.child.stop());
  const { pairs, seconds } = settings;
  await load(balancer, WARM_UP_SECONDS);
  const micros = { watched: [] as number[], alone: [] as number[] };
  for (let pair = 0; pair < pairs; pair++) {
    for (const kind of pair % 2 === 0 ? (["watched", "alone"] as const) : (["alone", "watched"] as const)) {
      using _page = kind === "watched" ? await look(balancer) : null;
      const { microsPerRequest, errors } = await measure(balancer, () => load(balancer, seconds));
      if (errors > 0) throw new Error(`expected no errors, got ${errors}`);
      micros[kind].push(microsPerRequest);
    }
  }
  return judge(micros);
}

function load({ url }: FromSource, seconds: number) {
  return fixedRate(url, () => LOGIN, settings.rate, seconds);
}

/** One reader of the stream, until it is disposed of. */
async function look({ adminUrl, authorization }: FromSource): Promise<Disposable> {
  const leaves = new AbortController();
  const { signal } = leaves;
  const { body, status } = await fetch(`${adminUrl}/api/stream`, { headers: { authorization }, signal });
  if (body === null || status !== 200) throw new Error(`expected the stream, got ${status}`);
  // It is read until we leave.
  text(body).catch(() => {});
  return { [Symbol.dispose]: () => leaves.abort() };
}

function judge({ watched, alone }: Readonly<Record<"watched" | "alone", readonly number[]>>): string[] {
  const ratios = watched.map((micros, pair) => micros / (alone[pair] ?? Number.NaN));
  const { pairs, rate, seconds } = settings;
  say(`\nCPU µs a read, ${NODES} nodes, ${rate}/s; ${pairs} pairs of ${seconds} s (median, least to most)`);
  say(`  page open    ${spread(watched, 1)}`);
  say(`  nobody looks ${spread(alone, 1)}`);
  say(`  ratio        ${spread(ratios, 3)}`);
  const ratio = median(ratios);
  if (ratio <= MAX_READ_RATIO) return [];
  return [
    `a read: expected at most ${MAX_READ_RATIO} × its CPU with nobody looking, got ${ratio.toFixed(3)} ×`,
  ];
}

/** Over a history that is full. */
async function timeParts(): Promise<string[]> {
  const { control, history, now } = new SimulatedCluster({
    nodes: NODES,
    readsPerSecond: 500,
    writesPerSecond: 50,
  }).run();
  const admin = { user: "admin", role: "admin" } as const;
  const parts = {
    "the sample": (index: number) => history.sample(now + index * 1000),
    "the page's markup": () => statsFragment(viewOf({ control, history }, admin)).text,
    "all of the history, as JSON": () => historyJson(history),
  };
  say(`\nms, ${NODES} nodes and two routes (median, least to most of ${TIMES})`);
  const medians: number[] = [];
  for (const [name, part] of Object.entries(parts)) {
    const times: number[] = [];
    for (let index = 1; index <= TIMES; index++) {
      const startedAt = performance.now();
      await part(index);
      times.push(performance.now() - startedAt);
    }
    say(`  ${name}: ${spread(times, 2)}`);
    medians.push(median(times));
  }
  const [sample = 0] = medians;
  if (sample < MAX_SAMPLE_MS) return [];
  return [`the sample: expected less than ${MAX_SAMPLE_MS} ms, got ${sample.toFixed(2)} ms`];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Clients of a measurement: a fixed rate, as many as it takes, or wrk. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Arrivals } from "../../cli/bench/arrivals.ts";
import { Latency } from "../../cli/bench/latency.ts";
import { Exchange, type RequestOptions, Sender } from "../../cli/bench/sender.ts";

export interface Served {
  readonly requests: number;
  readonly errors: number;
  readonly seconds: number;
  /** ms; 0 where the client doesn't tell. */
  readonly p50: number;
  readonly p99: number;
}

type MakeRequest = (index: number) => RequestOptions;

class Shot extends Exchange {
  readonly intendedAt: number;
  readonly #done: (shot: Shot) => void;

  constructor(options: RequestOptions, intendedAt: number, done: (shot: Shot) => void) {
    super(options);
    this.intendedAt = intendedAt;
    this.#done = done;
  }

  protected override ended(): void {
    this.#done(this);
  }
}

const CONNECTIONS = 64;
const TIMEOUT_MS = 10_000;
const SLOT_MS = 5;

export const LOGIN: RequestOptions = {
  method: "GET",
  path: "/login",
  headers: ["authorization", `Basic ${Buffer.from("someone:secret").toString("base64")}`],
};

/** Open loop: so many a second, whatever comes back. */
export async function fixedRate(
  url: string,
  make: MakeRequest,
  rate: number,
  seconds: number,
): Promise<Served> {
  const arrivals = new Arrivals({ rate, durationMs: seconds * 1000, slotMs: SLOT_MS, random: null });
  return counted(url, (sender, done) => {
    const startedAt = performance.now();
    const wake = () => {
      while (arrivals.next <= performance.now() - startedAt) {
        const index = arrivals.taken;
        sender.send(new Shot(make(index), startedAt + arrivals.take(), done));
      }
      if (arrivals.next === Number.POSITIVE_INFINITY) return;
      setTimeout(wake, Math.max(1, startedAt + arrivals.next - performance.now()));
    };
    wake();
    return { isOver: () => arrivals.next === Number.POSITIVE_INFINITY, again: () => {} };
  });
}

/** Closed loop: `atOnce` requests in flight all the time. */
export async function asManyAsPossible(
  url: string,
  make: MakeRequest,
  atOnce: number,
  seconds: number,
): Promise<Served> {
  return counted(url, (sender, done) => {
    const until = performance.now() + seconds * 1000;
    let sent = 0;
    const again = () => {
      if (performance.now() < until) sender.send(new Shot(make(sent++), performance.now(), done));
    };
    // The pool answers in a callback, so that none of these can be over before all have been sent.
    for (let slot = 0; slot < atOnce; slot += 1) again();
    return { isOver: () => performance.now() >= until, again };
  });
}

interface Loop {
  readonly isOver: () => boolean;
  readonly again: () => void;
}

async function counted(
  url: string,
  start: (sender: Sender, done: (shot: Shot) => void) => Loop,
): Promise<Served> {
  const sender = new Sender(url, { connections: CONNECTIONS, timeoutMs: TIMEOUT_MS });
  const latency = new Latency();
  const finished = Promise.withResolvers<void>();
  const begunAt = performance.now();
  let errors = 0;
  const done = (shot: Shot) => {
    if (shot.status < 200 || shot.status > 299) errors += 1;
    else latency.record(shot.endedAt - shot.intendedAt);
    loop.again();
    if (loop.isOver() && sender.inFlight === 0) finished.resolve();
  };
  const loop = start(sender, done);
  await finished.promise;
  const seconds = (performance.now() - begunAt) / 1000;
  await sender.close();
  const { count, p50, p99 } = latency.summary();
  return { requests: count, errors, seconds, p50, p99 };
}

/** `wrk`, with one thread and 32 connections. */
export async function byWrk(program: string, url: string, seconds: number): Promise<Served> {
  const authorization = `Authorization: ${LOGIN.headers[1]}`;
  const args = ["-t1", "-c32", `-d${seconds}s`, "--latency", "-H", authorization, `${url}${LOGIN.path}`];
  const { stdout } = await promisify(execFile)(program, args);
  const [, requests = "0", took = "0"] = /(\d+) requests in ([\d.]+)s/.exec(stdout) ?? [];
  const [, bad = "0"] = /Non-2xx or 3xx responses: (\d+)/.exec(stdout) ?? [];
  return {
    requests: Number(requests),
    errors: Number(bad),
    seconds: Number(took),
    p50: percentile(stdout, 50),
    p99: percentile(stdout, 99),
  };
}

function percentile(output: string, percent: number): number {
  const [, value = "0", unit = "ms"] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s)`).exec(output) ?? [];
  return Number(value) * ({ us: 0.001, ms: 1, s: 1000 }[unit] ?? 1);
}

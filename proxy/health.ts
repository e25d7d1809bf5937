/**
 * Looks after one node: checks it at an interval, takes reports of what reads and writes saw, and says only
 * "came up" or "went down". What follows from that is the node's own decision.
 */

import { connect } from "node:net";
import { request } from "undici";
import type { UpstreamNode } from "./node.ts";

export interface HealthOptions {
  /** ms between two checks, and for one. */
  readonly interval: number;
  readonly timeout: number;
  /** Checks in a row that bring a node up, or down. */
  readonly rise: number;
  readonly fall: number;
  /** GET it and expect 2xx or 3xx; without a path a TCP connect is the check. */
  readonly path: string | null;
}

export interface CheckResult {
  readonly ok: boolean;
  /** Nobody listens there: its process is gone. */
  readonly refused: boolean;
  /** ms since the epoch. */
  readonly at: number;
  readonly detail: string;
  /** The JSON body of an HTTP check, where the app tells of its state (DESIGN §4). */
  readonly body: unknown;
  /** Monotonic ms when the check began, and the highest seq that the node had acked then. */
  readonly begunAt: number;
  readonly acked: number;
}

/** First-byte timeouts in a row, with no answer in between, after which a node counts as down. */
const TIMEOUTS_DOWN = 3;
const MAX_BODY = 64 * 1024;
/** ms between the beginnings of two checks, however many connections break. */
const SPACING = 20;

export class Health {
  readonly node: UpstreamNode;
  last: CheckResult | null = null;
  #options: HealthOptions;
  readonly #checked: (node: UpstreamNode, result: CheckResult) => void;
  #inRow = 0;
  #timeouts = 0;
  #timeoutsSince = 0;
  /** It accepts connections and answers nothing: from here on only an answer counts. */
  #mute = false;
  #first = true;
  /** Somebody wants to know whether the app itself runs: a TCP connect does not tell. */
  #proofWanted = false;
  #checking = false;
  /** A connection broke during the check. */
  #again = false;
  /** When the last check began: monotonic ms. */
  #begunAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  readonly #stop = new AbortController();

  constructor(
    node: UpstreamNode,
    options: HealthOptions,
    checked: (node: UpstreamNode, result: CheckResult) => void,
  ) {
    this.node = node;
    this.#options = options;
    this.#checked = checked;
  }

  start(): void {
    void this.#check();
  }

  stop(): void {
    this.#stop.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Another interval counts from now on: by the old one the next check may be far away. */
  configure(options: HealthOptions): void {
    const another = options.interval !== this.#options.interval;
    this.#options = options;
    if (another && !this.#checking) this.#checkIn(options.interval);
  }

  /** A connection was refused: nobody listens there, no further proof is needed. */
  refused(reason: string): void {
    this.#inRow = 0;
    if (this.node.healthy) this.node.apply("went-down", reason);
  }

  /** A connection broke, with a request on it or idle: look now instead of at the next interval. */
  broke(): void {
    if (!this.node.healthy || this.#stop.signal.aborted) return;
    // A check that is under way may have seen what was there before.
    if (this.#checking) this.#again = true;
    else this.#checkIn(Math.max(0, this.#begunAt + SPACING - performance.now()));
  }

  /** No answer in time, `sentAt` (monotonic ms) being when it was asked. */
  timedOut(sentAt: number): void {
    if (this.node.aliveAt > this.#timeoutsSince) this.#timeouts = 0;
    if (this.#timeouts++ === 0) this.#timeoutsSince = sentAt;
    if (this.#timeouts < TIMEOUTS_DOWN || !this.node.healthy) return;
    this.#mute = true;
    this.#inRow = 0;
    this.node.apply("went-down", `${this.#timeouts} requests in a row without an answer`);
  }

  /** From now on checks ask for an answer of any kind, too, until there is one: `aliveAt` of the node tells. */
  prove(): void {
    this.#proofWanted = true;
  }

  async #check(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#checking = true;
    this.#again = false;
    this.#begunAt = performance.now();
    if (this.#timer !== null) clearTimeout(this.#timer);
    const result = await this.#probe();
    this.#checking = false;
    if (this.#stop.signal.aborted) return;
    this.#checkIn(this.#again ? SPACING : this.#options.interval);
    this.last = result;
    // A node whose state was replaced must be known as such before it comes up.
    this.#checked(this.node, result);
    this.#judge(result);
  }

  #checkIn(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), ms);
  }

  #judge({ ok, refused, detail }: CheckResult): void {
    this.#inRow = ok === this.node.healthy ? 0 : this.#inRow + 1;
    const enough = this.#first || refused ? 1 : ok ? this.#options.rise : this.#options.fall;
    this.#first = false;
    if (this.#inRow < enough) return;
    this.#inRow = 0;
    if (ok) {
      this.#mute = false;
      this.#timeouts = 0;
      this.node.apply("came-up", "health check passed");
    } else this.node.apply("went-down", `health check failed: ${detail}`);
  }

  async #probe(): Promise<CheckResult> {
    const begunAt = performance.now();
    const acked = this.node.highestAck;
    const seen = (ok: boolean, detail: string, body: unknown = null, refused = false): CheckResult => ({
      ok,
      refused,
      at: Date.now(),
      detail: ok ? `${detail} in ${Math.round(performance.now() - begunAt)} ms` : detail,
      body,
      begunAt,
      acked,
    });
    try {
      if (this.#options.path !== null) return await this.#get(this.#options.path, seen);
      if (this.#mute) return await this.#answers(seen);
      await this.#connects();
      if (this.#proofWanted) await this.#prove();
      return seen(true, "connected");
    } catch (error) {
      return seen(false, messageOf(error), null, isRefusal(error));
    }
  }

  async #get(path: string, seen: Seen): Promise<CheckResult> {
    const { status, text } = await this.#request("GET", path);
    const ok = status >= 200 && status < 400;
    if (ok) this.node.aliveAt = performance.now();
    return seen(ok, `GET ${path} answered ${status}`, ok ? parse(text) : null);
  }

  async #prove(): Promise<void> {
    try {
      await this.#request("HEAD", "/");
      this.node.aliveAt = performance.now();
      this.#proofWanted = false;
    } catch {
      // No proof; the next check asks again.
    }
  }

  /** Any status at all: the app runs. */
  async #answers(seen: Seen): Promise<CheckResult> {
    const { status } = await this.#request("HEAD", "/");
    return seen(true, `HEAD / answered ${status}`);
  }

  async #request(method: "GET" | "HEAD", path: string): Promise<{ status: number; text: string }> {
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#options.timeout)]);
    const { statusCode, body } = await request(new URL(path, this.node.url), {
      method,
      signal,
      headers: { "user-agent": "lb-proxy health check", connection: "close" },
    });
    let text = "";
    for await (const chunk of body) {
      text += String(chunk);
      if (text.length > MAX_BODY) break;
    }
    return { status: statusCode, text };
  }

  #connects(): Promise<void> {
    const { hostname, port } = new URL(this.node.url);
    const { timeout } = this.#options;
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || 80) });
      const over = (error?: Error) => {
        clearTimeout(timer);
        socket.destroy();
        if (error) reject(error);
        else resolve();
      };
      const timer = setTimeout(() => over(new Error(`no connection within ${timeout} ms`)), timeout);
      socket.once("connect", () => over()).on("error", over);
    });
  }
}

type Seen = (ok: boolean, detail: string, body?: unknown) => CheckResult;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // an app may answer anything; the status is what counts
  }
}

function isRefusal(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ECONNREFUSED";
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === "TimeoutError" ? "no answer in time" : error.message || error.name;
}

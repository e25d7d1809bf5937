/**
 * A mixed load that knows at any time what each login must answer: reads, and writes with an order key and an
 * Idempotency-Key. One writer a user; every password is used once; a write whose outcome is not known is sent
 * again under the same key until it is.
 */

import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { pick, seededRandom } from "../../cli/bench/random.ts";
import { Account } from "./load-account.ts";
import { LoadClient, type Reply, refusedUnrecorded, textOf, type WriteRequest } from "./load-client.ts";

export interface LoadOptions {
  readonly url: string;
  readonly seed: number;
  /** Per second, over all writers; a writer waits for its answer before it goes on. */
  readonly writes?: number;
  readonly writers?: number;
  /** Per second, open loop. */
  readonly reads?: number;
  /** Logins sent at once after each acknowledged write, one for each node in turn; default 3. */
  readonly readsAfterWrite?: number;
  /** Only forms; default: forms and JSON in turn. */
  readonly formsOnly?: boolean;
}

/** What went wrong with a read, or with a write that must not fail. */
export interface Finding {
  readonly at: number;
  readonly what: string;
}

export interface LoadCounts {
  acknowledged: number;
  /** Attempts whose outcome was not known: sent again. */
  indeterminate: number;
  /** Attempts that were refused before anything was recorded: sent again. */
  refused: number;
  reads: number;
  /** Reads whose answer proves that the node had the write acknowledged last. */
  proven: number;
  /** Reads that were overtaken by a write of the same user: either answer is right. */
  overtaken: number;
  /** Reads that failed while the balancer was down. */
  excused: number;
}

interface Outage {
  readonly from: number;
  until: number;
}

/** Users written to most lately: where a stale read would show. */
const FRESH = 12;
const MAX_USERS_PER_WRITER = 12;

export class Load {
  readonly counts: LoadCounts = {
    acknowledged: 0,
    indeterminate: 0,
    refused: 0,
    reads: 0,
    proven: 0,
    overtaken: 0,
    excused: 0,
  };
  /** A login with the password acknowledged last was refused, or one with an older one went through. */
  readonly stale: Finding[] = [];
  /** Reads without an answer while the balancer was up. */
  readonly failedReads: Finding[] = [];
  /** Writes whose answer says that an earlier one is missing, came twice or in another order. */
  readonly wrongWrites: Finding[] = [];
  /** ms of each answered read, in order of their end. */
  readonly readTimes: number[] = [];
  /** ms of each attempt at a write, whatever came of it. */
  readonly writeTimes: number[] = [];
  readonly accounts: Account[] = [];
  readonly #options: Required<LoadOptions>;
  readonly #client: LoadClient;
  readonly #random: () => number;
  readonly #fresh: Account[] = [];
  readonly #outages: Outage[] = [];
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #startedAt = performance.now();
  #abandoned = false;
  #openReads = 0;
  #keys = 0;

  constructor(options: LoadOptions) {
    this.#options = { writes: 40, writers: 8, reads: 150, readsAfterWrite: 3, formsOnly: false, ...options };
    this.#client = new LoadClient(options.url);
    this.#random = seededRandom(options.seed);
  }

  start(): this {
    for (let index = 0; index < this.#options.writers; index++) this.#running.push(this.#writer(index));
    this.#running.push(this.#reader());
    return this;
  }

  /** The balancer is down from now on until `work` is over: reads may fail. */
  async outage<T>(work: () => Promise<T>): Promise<T> {
    const outage: Outage = { from: performance.now(), until: Number.POSITIVE_INFINITY };
    this.#outages.push(outage);
    try {
      return await work();
    } finally {
      outage.until = performance.now();
    }
  }

  /** Ends it without waiting for the outcome of anything. */
  async abandon(): Promise<void> {
    this.#abandoned = true;
    this.#stopping.abort();
    await this.#client.close();
    await Promise.all(this.#running);
  }

  /** Sends nothing new; resolves when the outcome of every write is known. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
    while (this.#openReads > 0) await pause(5);
    await this.#client.close();
  }

  get stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #writer(index: number): Promise<void> {
    const mine: Account[] = [];
    const gap = (1000 * this.#options.writers) / this.#options.writes;
    await this.#pause(this.#random() * gap);
    while (!this.stopped) {
      const begun = performance.now();
      const account = this.#choose(mine, index);
      await this.#writeOnce(account);
      await Promise.all(this.#loginsAfter(account));
      await this.#pause(gap * (0.5 + this.#random()) - (performance.now() - begun));
    }
  }

  #choose(mine: Account[], writer: number): Account {
    const known = pick(mine, this.#random);
    if (known !== undefined && (mine.length >= MAX_USERS_PER_WRITER || this.#random() < 0.8)) return known;
    const account = new Account(`u${writer}-${mine.length}`);
    mine.push(account);
    this.accounts.push(account);
    return account;
  }

  /** One write, until its outcome is known. */
  async #writeOnce(account: Account): Promise<void> {
    const password = account.nextPassword();
    const request = this.#request(account, password);
    account.begun++;
    account.pending = true;
    const reply = await this.#untilKnown(request);
    const expected = request.path === "/register" ? 201 : 200;
    if (reply.status !== expected) {
      const what = `${request.path} of ${account.name} as write ${reply.seq}: expected ${expected}, got ${reply.status} ${reply.body}`;
      this.wrongWrites.push(this.#finding(what));
      return; // stays pending: what this user's password is, nobody can say
    }
    account.acknowledged.push({ seq: reply.seq, password });
    account.pending = false;
    this.counts.acknowledged++;
    this.#fresh.push(account);
    if (this.#fresh.length > FRESH) this.#fresh.shift();
  }

  #request(account: Account, password: string): WriteRequest {
    const { name: username, password: old } = account;
    this.#keys++;
    const idempotencyKey = `load-${this.#options.seed}-${this.#keys}`;
    const form = this.#options.formsOnly || this.#keys % 2 === 0;
    return old === null
      ? { path: "/register", fields: { username, password }, idempotencyKey, form }
      : {
          path: "/changePassword",
          fields: { username, password: old, newPassword: password },
          idempotencyKey,
          form,
        };
  }

  async #untilKnown(request: WriteRequest): Promise<Reply> {
    const deadline = performance.now() + 120_000;
    for (let last = ""; ; ) {
      const sentAt = performance.now();
      try {
        const reply = await this.#client.write(request);
        this.writeTimes.push(performance.now() - sentAt);
        if (reply.status < 500) return reply;
        if (refusedUnrecorded(reply)) this.counts.refused++;
        else this.counts.indeterminate++;
        last = `${reply.status} ${reply.body}`;
      } catch (error) {
        this.counts.indeterminate++;
        last = textOf(error);
      }
      if (performance.now() > deadline || this.#abandoned) {
        return { status: 0, seq: 0, body: `no outcome within two minutes; last: ${last}` };
      }
      await pause(50);
    }
  }

  #loginsAfter(account: Account): Promise<void>[] {
    return Array.from({ length: this.#options.readsAfterWrite }, () => this.#login(account));
  }

  async #reader(): Promise<void> {
    const gap = 1000 / this.#options.reads;
    let next = performance.now();
    while (!this.stopped) {
      next = Math.max(next + gap, performance.now() - 100);
      await this.#pause(next - performance.now());
      const from = this.#random() < 0.5 ? this.#fresh : this.accounts;
      const account = pick(from, this.#random);
      if (account !== undefined && account.password !== null) void this.#login(account);
    }
  }

  /** A login with the password acknowledged last; one in five with the one before, which must be refused. */
  async #login(account: Account): Promise<void> {
    const { password, oldPassword, pending, begun } = account;
    if (password === null) return;
    const old = oldPassword !== null && this.#random() < 0.2;
    const tried = old ? oldPassword : password;
    const sentAt = performance.now();
    this.#openReads++;
    try {
      const { status, body } = await this.#client.login(account.name, tried);
      this.counts.reads++;
      this.readTimes.push(performance.now() - sentAt);
      if (status !== 200 && status !== 401)
        this.#failed(sentAt, `login of ${account.name}: ${status} ${body}`);
      else if (status === (old ? 401 : 200)) this.counts.proven++;
      else if (!old && (pending || account.begun !== begun)) this.counts.overtaken++;
      else
        this.stale.push(
          this.#finding(`login with ${tried} answered ${status} ${body}, sent at ${this.#ms(sentAt)}`),
        );
    } catch (error) {
      this.counts.reads++;
      this.#failed(sentAt, `login of ${account.name}: ${textOf(error)}`);
    } finally {
      this.#openReads--;
    }
  }

  #failed(sentAt: number, what: string): void {
    const down = this.#outages.some(({ from, until }) => from <= performance.now() && sentAt <= until);
    if (down) this.counts.excused++;
    else this.failedReads.push(this.#finding(`${what}, sent at ${this.#ms(sentAt)}`));
  }

  #finding(what: string): Finding {
    return { at: this.#ms(performance.now()), what };
  }

  #ms(time: number): number {
    return Math.round(time - this.#startedAt);
  }

  async #pause(ms: number): Promise<void> {
    await pause(Math.max(0, ms), undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}

/** Starts a load that ends with the test, however that ends. */
export function startLoad(t: TestContext, options: LoadOptions): Load {
  const load = new Load(options).start();
  t.after(() => load.abandon());
  return load;
}

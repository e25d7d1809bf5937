import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Appended, Journal, JournalOptions } from "../../../proxy/journal/journal.ts";
import { openJournal } from "../../../proxy/journal/journal-start.ts";
import { ackOf, journalOptions, newRecord, nodeRow, readAll } from "../../support/journals.ts";

/**
 * The journal against a model of plain arrays and maps. Steps are calls; a crash keeps what is on the disk at
 * that moment and nothing else. After a crash the journal must be in the state that some number of the calls,
 * from the first one on, leads to, and that number must include everything that was said to be stored.
 */

type Step =
  | {
      readonly do: "append";
      readonly key: string | null;
      readonly print: string;
      readonly times: number;
      readonly wait: boolean;
    }
  | { readonly do: "ack"; readonly node: string; readonly seq: number }
  | { readonly do: "settle"; readonly seq: number; readonly status: number }
  | { readonly do: "cursor"; readonly node: string; readonly seq: number }
  | { readonly do: "save"; readonly node: string; readonly seq: number; readonly member: boolean }
  | { readonly do: "remove"; readonly node: string }
  | { readonly do: "aside"; readonly seq: number; readonly aside: boolean }
  | { readonly do: "flush" }
  | { readonly do: "purge" }
  | { readonly do: "reopen" }
  | { readonly do: "crash"; readonly after: number };

interface ModelRecord {
  readonly id: string;
  readonly key: string | null;
  readonly print: string;
  outcome: number | null;
  aside: boolean;
}

interface ModelNode {
  cursor: number;
  member: boolean;
  readonly acks: Set<number>;
}

class Model {
  records: ModelRecord[] = [];
  nodes = new Map<string, ModelNode>();

  get head(): number {
    return this.records.length;
  }

  /** What an append gives. */
  append(id: string, key: string | null, print: string): Appended {
    const last = key === null ? -1 : this.records.findLastIndex((record) => record.key === key);
    const found = this.records[last];
    if (found && found.print !== print) return { kind: "mismatch", seq: last + 1 };
    if (found && (found.outcome === null || found.outcome < 500)) return { kind: "repeat", seq: last + 1 };
    this.records.push({ id, key, print, outcome: null, aside: false });
    return { kind: "recorded", seq: this.head };
  }

  ack(name: string, seq: number): void {
    if (seq <= this.head) this.nodes.get(name)?.acks.add(seq);
  }

  settle(seq: number, status: number): void {
    const record = this.records[seq - 1];
    if (record) record.outcome = status;
  }

  cursor(name: string, seq: number): void {
    const node = this.nodes.get(name);
    if (node) node.cursor = Math.max(node.cursor, Math.min(seq, this.head));
  }

  save(name: string, seq: number, member: boolean): void {
    const node = this.nodes.get(name);
    const forgets = node === undefined || seq < node.cursor;
    this.nodes.set(name, { cursor: Math.min(seq, this.head), member, acks: forgets ? new Set() : node.acks });
  }

  aside(seq: number, aside: boolean): void {
    const record = this.records[seq - 1];
    if (record) record.aside = aside;
  }

  /** Every member has what is below it. */
  get floor(): number {
    const members = [...this.nodes.values()].filter((node) => node.member);
    return members.length === 0 ? 0 : Math.min(...members.map((node) => node.cursor));
  }

  /** What can be seen of it from outside. */
  view(first: number): unknown {
    const names = [...this.nodes.keys()].sort();
    return {
      records: this.records
        .map(({ id, outcome, aside }, i) => ({ seq: i + 1, id, outcome, aside }))
        .filter(({ seq }) => seq >= first),
      aside: this.records.flatMap(({ aside }, i) => (aside ? [i + 1] : [])),
      nodes: names.map((name) => {
        const { cursor, member, acks } = this.nodes.get(name) as ModelNode;
        return { name, cursor, member, acks: [...acks].sort((a, b) => a - b) };
      }),
    };
  }
}

/** The same view of the real one. */
async function viewOf(journal: Journal): Promise<unknown> {
  const records = await readAll(journal);
  const rows = (await journal.nodes()).sort((a, b) => (a.name < b.name ? -1 : 1));
  const acks = await Promise.all(rows.map(({ name }) => journal.ackedBeyond(name, 0)));
  return {
    records: records.map(({ seq, key, state: { outcome, setAside: aside } }) => ({
      seq,
      id: key,
      outcome,
      aside,
    })),
    aside: (await journal.pending(1000, "set-aside")).map(({ seq }) => seq),
    nodes: rows.map(({ name, cursor, member }, i) => ({ name, cursor, member, acks: acks[i] })),
  };
}

type Call = (model: Model) => void;

/** Runs steps on a journal, and keeps the calls that the model has to make. */
class Run {
  readonly #folder = mkdtempSync(join(tmpdir(), "lb-model-"));
  #folders = 0;
  #options: JournalOptions = this.#nextOptions();
  #journal: Journal | null = null;
  /** Every call so far, and how many of the first of them are known to be on disk. */
  #calls: Call[] = [];
  #stored = 0;
  #first = 1;
  #ids = 0;
  readonly #loose: Promise<unknown>[] = [];
  readonly #given = new Map<number, string>();

  async step(step: Step): Promise<void> {
    const journal = await this.#opened();
    switch (step.do) {
      case "append":
        return await this.#append(journal, step);
      case "ack":
        journal.ack(ackOf(step.seq, step.node));
        return this.#called((model) => model.ack(step.node, step.seq));
      case "settle":
        journal.settle(step.seq, step.status, null);
        return this.#called((model) => model.settle(step.seq, step.status));
      case "cursor":
        journal.moveCursor(step.node, step.seq);
        return this.#called((model) => model.cursor(step.node, step.seq));
      case "save":
        this.#called((model) => model.save(step.node, step.seq, step.member));
        return await this.#waited(
          journal.saveNode(nodeRow(step.node, { cursor: step.seq, member: step.member })),
        );
      case "remove":
        this.#called((model) => void model.nodes.delete(step.node));
        return await this.#waited(journal.removeNode(step.node));
      case "aside":
        this.#called((model) => model.aside(step.seq, step.aside));
        return await this.#waited(journal.setAside(step.seq, step.aside));
      case "flush":
        await this.#waited(journal.flush());
        return assert.deepEqual(await viewOf(journal), this.#model().view(this.#checkedFirst(journal)));
      case "purge":
        await this.#waited(journal.purge());
        return assert.equal(this.#checkedFirst(journal), Math.max(this.#first, this.#model().floor + 1));
      case "reopen":
        return await this.#reopen(journal);
      case "crash":
        return await this.#crash(journal, step.after);
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#loose);
    await this.#journal?.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #append(journal: Journal, { key, print, times, wait }: Step & { do: "append" }): Promise<void> {
    const expected: Promise<void>[] = [];
    for (let i = 0; i < times; i++) {
      const id = `id-${this.#ids++}`;
      const idempotency = key === null ? null : { key, fingerprint: print };
      const model = this.#model();
      const appended = model.append(id, key, print);
      this.#called((model) => void model.append(id, key, print));
      const upTo = this.#calls.length;
      const result = journal.append(newRecord(id, { key: id, idempotency })).then((got) => {
        assert.deepEqual(got, appended);
        if (this.#journal !== journal) return;
        this.#stored = Math.max(this.#stored, upTo);
        if (got.kind !== "recorded") return;
        assert.ok([undefined, id].includes(this.#given.get(got.seq)), `seq ${got.seq} was given twice`);
        this.#given.set(got.seq, id);
      });
      expected.push(result);
    }
    if (wait) await Promise.all(expected);
    else this.#loose.push(...expected);
  }

  async #reopen(journal: Journal): Promise<void> {
    await journal.close();
    this.#stored = this.#calls.length;
    this.#journal = null;
    const again = await this.#opened();
    assert.deepEqual(await viewOf(again), this.#model().view(this.#checkedFirst(again)));
  }

  /** Goes on with a copy of the files; which calls had made it to the disk is found by trying. */
  async #crash(journal: Journal, after: number): Promise<void> {
    for (let turn = 0; turn < after; turn++) await new Promise((resolve) => setImmediate(resolve));
    const before = this.#options;
    const { stored, given } = { stored: this.#stored, given: new Map(this.#given) };
    this.#options = this.#nextOptions();
    copyAsCrashed(before, this.#options);
    this.#journal = null;
    const crashed = await this.#opened();
    const view = await viewOf(crashed);
    const kept = this.#prefixes(stored).find((count) =>
      sameView(this.#model(count).view(crashed.first), view),
    );
    assert.notEqual(kept, undefined, `no state of the model is ${JSON.stringify(view)}`);
    this.#calls.length = kept ?? 0;
    this.#stored = kept ?? 0;
    for (const [seq, id] of given)
      assert.equal(this.#model().records[seq - 1]?.id, id, `seq ${seq} was lost`);
    this.#checkedFirst(crashed);
    // The process that "crashed" goes on without anyone looking; what it still gives does not count.
    await Promise.all(this.#loose.splice(0));
    await journal.close();
  }

  #prefixes(from: number): number[] {
    return Array.from({ length: this.#calls.length - from + 1 }, (_, i) => from + i);
  }

  #checkedFirst(journal: Journal): number {
    assert.ok(
      journal.first >= this.#first && journal.first <= Math.max(this.#first, this.#model().floor + 1),
    );
    this.#first = journal.first;
    return this.#first;
  }

  #called(call: Call): void {
    this.#calls.push(call);
  }

  async #waited(stored: Promise<unknown>): Promise<void> {
    await stored;
    this.#stored = this.#calls.length;
  }

  #model(calls = this.#calls.length): Model {
    const model = new Model();
    for (const call of this.#calls.slice(0, calls)) call(model);
    return model;
  }

  async #opened(): Promise<Journal> {
    this.#journal ??= await openJournal(this.#options, [], () => {});
    return this.#journal;
  }

  #nextOptions(): JournalOptions {
    const folder = join(this.#folder, String(this.#folders++));
    return journalOptions(folder, { retention: 0 });
  }
}

/** The mark first and the database last: the log may only be newer than the mark, as it is when a machine stops. */
function copyAsCrashed(from: JournalOptions, to: JournalOptions): void {
  mkdirSync(to.dataDir, { recursive: true });
  copyFileSync(from.headFile, to.headFile);
  copyFileSync(from.keyFile, to.keyFile);
  for (const name of ["journal.db-wal", "journal.db"]) {
    const file = join(from.dataDir, name);
    if (existsSync(file)) copyFileSync(file, join(to.dataDir, name));
  }
}

function sameView(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const seq = fc.integer({ min: 1, max: 12 });
const node = fc.constantFrom("app1", "app2");
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      key: fc.constantFrom(null, null, "k", "l"),
      print: fc.constantFrom("x", "x", "y"),
      times: fc.integer({ min: 1, max: 4 }),
      wait: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("ack" as const), node, seq }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("settle" as const), seq, status: fc.constantFrom(201, 409, 503) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("cursor" as const), node, seq }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("save" as const), node, seq: fc.nat(6), member: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("remove" as const), node }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("aside" as const), seq, aside: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ do: "flush" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "purge" as const }) },
  { weight: 1, arbitrary: fc.constant({ do: "reopen" as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("crash" as const), after: fc.nat(40) }) },
);

test("any calls, reopenings and crashes leave the journal as a model of arrays and maps says", async () => {
  const runs = Number(process.env.LB_MODEL_RUNS ?? 25);
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 8, maxLength: 40, size: "max" }),
    async (steps) => {
      const run = new Run();
      try {
        for (const one of steps) await run.step(one);
        await run.step({ do: "flush" });
      } finally {
        await run.end();
      }
    },
  );
  await fc.assert(property, { numRuns: runs, endOnFailure: false, interruptAfterTimeLimit: runs * 1000 });
});

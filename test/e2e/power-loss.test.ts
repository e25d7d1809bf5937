/**
 * Power loss. Two halves of one argument: no node sees a record before it is on disk (a trace of the system
 * calls shows it), and whatever of the disk was not yet synced may be missing without loss (the journal is cut
 * at every place behind the last commit that counts, and the whole balancer started on what is left).
 */

import assert from "node:assert/strict";
import {
  cpSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { PAGE } from "../../proxy/journal/journal-schema.ts";
import { startBalancer, type TestBalancer } from "../support/balancer.ts";
import { startNode, type TestNode } from "../support/nodes.ts";
import { type Call, readCalls, straceAvailable, straceCommand } from "../support/strace.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/wait.ts";

const strace = straceAvailable();
const CALLS = ["write", "writev", "sendto", "sendmsg", "pwrite64", "fsync", "fdatasync"];
const WRITES = 12;

test("no byte of a write goes to a node before the log and the head mark are on disk", {
  skip: strace.ok ? false : strace.reason,
}, async (t) => {
  const trace = join(tempFolder(t), "trace");
  const nodes = [await startNode(t, { status: 201 }), await startNode(t, { status: 201 })];
  const balancer = await startBalancer(t, { nodes: named(nodes), under: straceCommand(trace, CALLS) });
  markIsSynchronous(balancer);
  // One after another, then at once: alone in a commit, and several in one.
  for (let i = 0; i < WRITES / 2; i++) await register(balancer, `user${i}`);
  await Promise.all(Array.from({ length: WRITES / 2 }, (_, i) => register(balancer, `other${i}`)));
  await balancer.stop();

  const calls = readCalls(readFileSync(trace, "latin1"));
  const marks = calls.filter(({ args }) => args.includes("journal.head>") && args.includes('"lb-mark 1 '));
  const legs = calls.filter(({ args }) => /^\d+<TCP.*"POST \/register HTTP/.test(args));
  assert.equal(legs.length, WRITES * nodes.length, "each write goes to each node once");
  for (const mark of marks) logIsSyncedBefore(calls, mark);
  for (const leg of legs) {
    const seq = Number(/lb-seq: (\d+)/.exec(leg.args)?.[1]);
    const mark = marks.find(({ args }) => Number(/"lb-mark 1 \S+ (\d+) /.exec(args)?.[1]) >= seq);
    assert.ok(mark !== undefined && mark.result === PAGE, `write ${seq} has a head mark`);
    assert.ok(
      mark.ended < leg.begun,
      `write ${seq} was sent in line ${leg.begun}, its mark was on disk in ${mark.ended}`,
    );
  }
  t.diagnostic(`${legs.length} requests to nodes, ${marks.length} commits, ${calls.length} system calls`);
});

test("the journal cut anywhere behind the last commit that counts: all acknowledged writes go on, in order", async (t) => {
  const { before, after, nodes } = await twoMoments(t);
  const cuts = cutsBetween(walSize(before), walSize(after));
  t.diagnostic(
    `log of ${walSize(before)} bytes at the last acknowledged write, cut at ${cuts.length} places up to ${walSize(after)}`,
  );
  for (const node of nodes) {
    await node.restart();
    node.behave({ status: 201 });
  }
  for (const cut of cuts) await goesOn(t, nodes, { before, after, ...cut });
});

test("the log cut behind what the head mark says: the start is refused, with the next step", async (t) => {
  const { before, after, nodes } = await twoMoments(t);
  truncateSync(wal(after), walSize(before));
  for (const node of nodes) node.clearLog();
  await assert.rejects(
    startBalancer(t, { nodes: named(nodes), folder: after, wait: "listening" }),
    /journal_behind_mark/,
  );
  assert.equal(nodes[0]?.log.length, 0);
});

/** O_DSYNC: a write to it that returned is on disk. */
function markIsSynchronous({ pid }: TestBalancer): void {
  const fd = readdirSync(`/proc/${pid}/fd`).find((name) => linkOf(pid, name).endsWith("journal.head"));
  const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8"))?.[1] ?? "";
  assert.notEqual(Number.parseInt(flags, 8) & 0o10000, 0, `journal.head is open with flags ${flags}`);
}

function linkOf(pid: number, fd: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return ""; // closed meanwhile
  }
}

/** The commit of this mark: its last write to the log, then a sync of the log that returned, then the mark. */
function logIsSyncedBefore(calls: readonly Call[], mark: Call): void {
  const ofLog = calls.filter(({ args, begun }) => begun < mark.begun && args.includes("journal.db-wal>"));
  const isSync = ({ name }: Call) => name === "fdatasync" || name === "fsync";
  const written = ofLog.findLast((call) => !isSync(call));
  const synced = ofLog.findLast(isSync);
  assert.ok(written !== undefined && synced !== undefined, "the log was written and synced");
  assert.ok(
    written.ended < synced.begun && synced.ended < mark.begun,
    `a sync between the log's write and the mark in line ${mark.begun}`,
  );
  assert.equal(synced.result, 0);
}

const ACKNOWLEDGED = 6;

/**
 * The balancer's folder as it was when write 6 was acknowledged, and some commits later. One of its two nodes
 * was never there, so that every record still has to go to it.
 */
async function twoMoments(t: TestContext): Promise<{ before: string; after: string; nodes: TestNode[] }> {
  const nodes = [await startNode(t, { status: 201 }), await startNode(t)];
  await nodes[1]?.stop();
  const balancer = await startBalancer(t, { nodes: named(nodes), wait: "listening" });
  await balancer.reached("app1", "in-sync");
  for (let i = 1; i <= ACKNOWLEDGED; i++) assert.equal(await register(balancer, "ann"), i);
  const before = frozenCopy(t, balancer);
  await register(balancer, "ann");
  const after = frozenCopy(t, balancer);
  await balancer.kill9();
  return { before, after, nodes };
}

/** Nothing is written while it is copied. */
function frozenCopy(t: TestContext, balancer: TestBalancer): string {
  const copy = tempFolder(t);
  balancer.signal("SIGSTOP");
  cpSync(balancer.folder, copy, { recursive: true });
  balancer.signal("SIGCONT");
  return copy;
}

interface Cut {
  readonly at: number;
  /** What the disk has where the log was never written: nothing, or zeros up to its new length. */
  readonly rest: "nothing" | "zeros";
}

const WAL_HEADER = 32;
const FRAME = 24 + PAGE;

/** Every end of a frame, and odd places in it: in its header, behind it, in its page. */
function cutsBetween(from: number, to: number): Cut[] {
  const cuts: Cut[] = [{ at: from, rest: "nothing" }];
  const first = Math.floor((from - WAL_HEADER) / FRAME);
  for (let frame = first; WAL_HEADER + frame * FRAME <= to; frame++) {
    const start = WAL_HEADER + frame * FRAME;
    const odd = [13, 24, 24 + 1777, FRAME - 1][frame % 4] ?? 1;
    for (const at of [start, start + odd])
      if (at > from && at <= to) cuts.push({ at, rest: at % 3 ? "nothing" : "zeros" });
  }
  return cuts;
}

/** The whole balancer on what is left, over nodes that have nothing: they get each record, in order, and more. */
async function goesOn(
  t: TestContext,
  nodes: readonly TestNode[],
  { before, after, at, rest }: Cut & { before: string; after: string },
): Promise<void> {
  const folder = tempFolder(t);
  // The mark of before: the power went between the sync of the log and that of the mark, or earlier.
  cpSync(before, folder, { recursive: true });
  const log = readFileSync(wal(after));
  writeFileSync(
    wal(folder),
    rest === "zeros"
      ? Buffer.concat([log.subarray(0, at), Buffer.alloc(log.length - at)])
      : log.subarray(0, at),
  );
  for (const node of nodes) node.clearLog();
  const balancer = await startBalancer(t, { nodes: named(nodes), folder });
  const { head } = await balancer.status();
  assert.ok(head >= ACKNOWLEDGED, `cut at ${at}: expected at least ${ACKNOWLEDGED} writes, got ${head}`);
  assert.equal(await register(balancer, "ann"), head + 1, "the next seq");
  await until(() => (nodes[1]?.log.length ?? 0) >= head + 1);
  assert.deepEqual(
    seqsAt(nodes[1]),
    Array.from({ length: head + 1 }, (_, i) => i + 1),
    `cut at ${at}, ${rest} behind it`,
  );
  assert.deepEqual(
    seqsAt(nodes[0]).filter((seq) => seq <= ACKNOWLEDGED - 1),
    [],
    "what it had acked durably does not come again",
  );
  await balancer.kill9();
}

function seqsAt(node: TestNode | undefined): number[] {
  return (node?.log ?? []).map(({ headers }) => Number(headers["lb-seq"]));
}

function wal(folder: string): string {
  return join(folder, "data", "journal.db-wal");
}

function walSize(folder: string): number {
  return statSync(wal(folder)).size;
}

function named(nodes: readonly TestNode[]): { name: string; url: string }[] {
  return nodes.map(({ url }, index) => ({ name: `app${index + 1}`, url }));
}

/** Gives the seq of the acknowledged write. */
async function register(balancer: TestBalancer, username: string): Promise<number> {
  const reply = await fetch(`${balancer.url}/register`, {
    method: "POST",
    body: new URLSearchParams({ username }),
  });
  assert.equal(reply.status, 201);
  return Number(reply.headers.get("lb-seq"));
}

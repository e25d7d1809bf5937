/** What became of a write, for people: pure. */
import { styleText } from "node:util";
import type { ClientReply, FollowedWrite, NodeDelivery, WriteDetails } from "../../proxy/api.ts";
import { dateTime, duration, plural, printable } from "./format.ts";
import { coloured } from "./render.ts";
import { table } from "./table.ts";

type State = FollowedWrite["state"];

const COLOURS = { delivered: "green", pending: "yellow", skipped: "yellow", "set-aside": "red" } as const;

export function renderWrites(writes: readonly FollowedWrite[], now = Date.now()): string {
  if (writes.length === 0) return "no writes";
  const rows = writes.map((write) => [
    String(write.seq),
    duration(now - write.at),
    printable(`${write.method} ${write.path}`),
    stateText(write.state),
    outcomeText(write),
    write.nodes.map(shortly).join(" "),
    write.marks.join(" "),
  ]);
  const columns = [
    { title: "SEQ", right: true },
    { title: "AGE", right: true },
    { title: "REQUEST" },
    { title: "STATE" },
    { title: "OUTCOME" },
    { title: "NODES" },
    { title: "MARKS" },
  ];
  return table(columns, rows);
}

/** A story, from the top: what it was, what the client was told, how far it is at each node, what to do. */
export function renderWrite(write: WriteDetails, now = Date.now()): string {
  const sections = [headline(write), facts(write, now), nodeTable(write), sentences(write, now), next(write)];
  return sections.filter((lines) => lines.length > 0).join("\n\n");
}

function headline({ seq, method, path, state, marks }: WriteDetails): string {
  const title = styleText("bold", printable(`Write ${seq}  ${method} ${path}`));
  return [title, stateText(state), ...marks.map((mark) => styleText("yellow", mark))].join("  ");
}

function facts(write: WriteDetails, now: number): string {
  const key =
    write.keyHash === null
      ? "none: it waits for all before it, and holds all after it"
      : write.keyHash.slice(0, 16);
  const lines: [string, string][] = [
    ["recorded", `${dateTime(write.at)} (${duration(now - write.at)} ago)`],
    ["route", `${write.route}${write.policy === null ? "" : `, ack ${write.policy}`}`],
    ["order key", key],
    ["request id", write.requestId === null ? "purged with the request" : printable(write.requestId)],
    ...(write.traceId === null ? [] : [["trace", write.traceId] satisfies [string, string]]),
    ["outcome", outcomeLine(write)],
    ["client got", clientLine(write.replies)],
  ];
  return lines.map(([name, text]) => `${styleText("dim", name.padEnd(12))}${text}`).join("\n");
}

function nodeTable({ at, nodes }: WriteDetails): string {
  const rows = nodes.map((one) => [
    one.node,
    one.state === null ? styleText("dim", "removed") : coloured(one.state),
    STEPS[one.step],
    one.ack === null ? "-" : String(one.ack.status),
    one.attempts === 0 ? "-" : String(one.attempts),
    one.ack === null ? "-" : duration(one.ack.firstAt - at),
    one.ack === null ? "-" : duration(one.ack.at - at),
    [one.late && "late", one.diverged && "diverged", one.ack?.ambiguous && "ambiguous"]
      .filter(Boolean)
      .join(" "),
  ]);
  const columns = [
    { title: "NODE" },
    { title: "STATE" },
    { title: "WRITE" },
    { title: "ANSWER", right: true },
    { title: "ATTEMPTS", right: true },
    { title: "SENT AFTER", right: true },
    { title: "ACKED AFTER", right: true },
    { title: "MARKS" },
  ];
  return table(columns, rows);
}

const STEPS: Readonly<Record<NodeDelivery["step"], string>> = {
  acked: "acked",
  covered: "in its snapshot",
  skipped: "skipped",
  sending: "being sent",
  paused: "to be tried again",
  ready: "goes out next",
  "same-key": "waits for its key",
  barrier: "waits for a barrier",
  "as-barrier": "waits for all before it",
  held: "held back",
  "set-aside": "set aside",
  "not-yet": "in the backlog",
  "node-out": "waits for the node",
};

/** A sentence for each node that has not got it: why, and what went wrong last. */
function sentences({ nodes }: WriteDetails, now: number): string {
  const told = nodes.flatMap((one) => {
    const parts = [whyNotYet(one, now), lastTry(one, now), nextTry(one, now)].filter((part) => part !== "");
    return parts.length === 0 ? [] : [`${one.node}: ${parts.join("; ")}.`];
  });
  return told.join("\n");
}

function whyNotYet({ step, behind, state, node, sentAt }: NodeDelivery, now: number): string {
  if (step === "sending" && sentAt !== null)
    return `an attempt has been under way for ${duration(now - sentAt)}`;
  if (step === "node-out") return `nothing is sent to it while it is ${state} (lbctl status says why)`;
  if (step === "same-key") return `waits for write ${behind}, which has the same key`;
  if (step === "barrier") return `waits for write ${behind}, which has no key and goes alone`;
  if (step === "as-barrier") return `has no key, so it waits for all before it, first for write ${behind}`;
  if (step === "held") return `waits for write ${behind}, which has the same key and is set aside`;
  if (step === "not-yet") return `${node} is further back and comes to it in turn`;
  return "";
}

function lastTry({ lastFailure, attempts }: NodeDelivery, now: number): string {
  if (lastFailure === null) return "";
  const tried = attempts === 0 ? "nothing could be sent" : `${plural(attempts, "attempt")} so far`;
  return `${tried}, the last failed ${duration(now - lastFailure.at)} ago: ${printable(lastFailure.reason)}`;
}

function nextTry({ nextAt }: NodeDelivery, now: number): string {
  if (nextAt === null) return "";
  return nextAt <= now ? "the next is due now" : `the next is due in ${duration(nextAt - now)}`;
}

function next({ seq, state, nodes }: WriteDetails): string {
  if (state === "set-aside") {
    return `Mend the app, then deliver it to all nodes:  lbctl writes retry ${seq}\nor give it up on all nodes alike:             lbctl writes skip ${seq}`;
  }
  const held = nodes.find(({ step }) => step === "held");
  if (held) return `What it waits for:  lbctl writes show ${held.behind}`;
  const diverged = nodes.filter((one) => one.diverged && one.state === "quarantined");
  return diverged
    .map(({ node }) => `Give ${node} the state of the others:  lbctl nodes resync ${node}`)
    .join("\n");
}

function clientLine(replies: readonly ClientReply[]): string {
  if (replies.length === 0) return "not known any more (an older write, or an earlier process)";
  return replies.map(replyText).join("; ");
}

function replyText({ status, code, ms, repeat }: ClientReply): string {
  const when = `after ${duration(ms)}`;
  const what =
    status === 0 ? `nothing: it left ${when}` : `${status}${code === null ? "" : ` ${code}`} ${when}`;
  return repeat || code === "idempotency_mismatch" ? `${what} (its Idempotency-Key again)` : what;
}

function outcomeLine(write: WriteDetails): string {
  if (write.state === "skipped") return "skipped by an operator: no node gets it any more";
  if (write.outcome === null) return "not known yet: the ack policy does not hold so far";
  return `${write.outcome}, which the nodes agreed on`;
}

function outcomeText({ state, outcome }: FollowedWrite): string {
  return state === "skipped" || outcome === null ? "-" : String(outcome);
}

/** `app1=201 app2=down app3=retry` */
function shortly({ node, ack, step, state }: NodeDelivery): string {
  if (ack !== null) return `${node}=${ack.status}`;
  return `${node}=${step === "node-out" ? state : step}`;
}

function stateText(state: State): string {
  return styleText(COLOURS[state], state === "set-aside" ? "set aside" : state);
}

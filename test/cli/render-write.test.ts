import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { renderWrite, renderWrites } from "../../cli/tools/render-write.ts";
import type { NodeDelivery, WriteDetails } from "../../proxy/api.ts";

const AT = 1_700_000_000_000;
const NOW = AT + 60_000;

function node(name: string, more: Partial<NodeDelivery> = {}): NodeDelivery {
  return {
    node: name,
    state: "in-sync",
    member: true,
    step: "acked",
    behind: null,
    attempts: 1,
    sentAt: null,
    lastFailure: null,
    nextAt: null,
    ack: { seq: 42, node: name, status: 201, attempts: 1, ambiguous: false, firstAt: AT + 2, at: AT + 8 },
    late: false,
    diverged: false,
    ...more,
  };
}

function open(name: string, more: Partial<NodeDelivery>): NodeDelivery {
  return node(name, { ack: null, attempts: 0, ...more });
}

function write(more: Partial<WriteDetails> = {}): WriteDetails {
  return {
    seq: 42,
    at: AT,
    route: "all-1",
    method: "POST",
    path: "/register",
    keyHash: "00112233445566778899aabbccddeeff",
    outcome: 201,
    setAside: false,
    purged: false,
    acks: [],
    state: "delivered",
    marks: [],
    policy: "all",
    replies: [{ at: AT + 9, ms: 11, status: 201, code: null, repeat: false }],
    nodes: [node("app1"), node("app2")],
    requestId: "night-1",
    traceId: null,
    ...more,
  };
}

function shown(more: Partial<WriteDetails>): string {
  return stripVTControlCharacters(renderWrite(write(more), NOW));
}

test("a write that all have: its facts, and when each node had it", () => {
  const text = shown({});
  assert.match(text, /^Write 42 {2}POST \/register {2}delivered\n/);
  assert.match(text, /recorded {4}20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.000 \(1 min 0 s ago\)/);
  assert.match(text, /route {7}all-1, ack all/);
  assert.match(text, /request id {2}night-1/);
  assert.doesNotMatch(text, /trace/);
  assert.match(shown({ traceId: "ab".repeat(16) }), /trace {7}(ab){16}$/m);
  assert.match(text, /client got {2}201 after 11 ms/);
  assert.match(text, /app1 +in-sync +acked +201 +1 +2 ms +8 ms$/m);
});

test("each way to wait is a sentence that says for what", () => {
  const lastFailure = { at: NOW - 2000, status: null, reason: "ECONNREFUSED: connect" };
  const nodes = [
    open("app1", { step: "paused", attempts: 3, lastFailure, nextAt: NOW + 4000 }),
    open("app2", { step: "same-key", behind: 40 }),
    open("app3", { step: "barrier", behind: 39 }),
    open("app4", { step: "as-barrier", behind: 38 }),
    open("app5", { step: "held", behind: 37 }),
    open("app6", { step: "node-out", state: "down", late: true }),
    open("app7", { step: "not-yet" }),
    open("app8", { step: "sending", attempts: 1, sentAt: NOW - 3400 }),
  ];
  const text = shown({ state: "pending", outcome: null, marks: ["late"], nodes, replies: [] });
  assert.match(text, /^Write 42 {2}POST \/register {2}pending {2}late\n/);
  assert.match(
    text,
    /app1: 3 attempts so far, the last failed 2\.0 s ago: ECONNREFUSED: connect; the next is due in 4\.0 s\./,
  );
  assert.match(text, /app2: waits for write 40, which has the same key\./);
  assert.match(text, /app3: waits for write 39, which has no key/);
  assert.match(text, /app4: has no key, so it waits for all before it, first for write 38\./);
  assert.match(text, /app5: waits for write 37, .* set aside\./);
  assert.match(text, /app6: nothing is sent to it while it is down/);
  assert.match(text, /app7: .* in turn\./);
  assert.match(text, /app8 +in-sync +being sent/);
  assert.match(text, /app8: an attempt has been under way for 3\.4 s\./);
  assert.match(text, /lbctl writes show 37/);
  assert.match(text, /outcome +not known yet/);
  assert.match(text, /client got +not known any more/);
});

test("a write that is set aside says what an operator can do", () => {
  const text = shown({ state: "set-aside", nodes: [open("app1", { step: "set-aside" })] });
  assert.match(text, /lbctl writes retry 42/);
  assert.match(text, /lbctl writes skip 42/);
});

test("a quarantined node that diverged is to be resynced; one that was removed keeps its line", () => {
  const ack = { seq: 42, node: "app1", status: 409, attempts: 1, ambiguous: false, firstAt: AT, at: AT + 3 };
  const nodes = [
    node("app1", { state: "quarantined", ack, diverged: true }),
    node("app9", { state: null, member: false }),
  ];
  const text = shown({ marks: ["diverged"], nodes });
  assert.match(text, /app1 +quarantined +acked +409 .*diverged$/m);
  assert.match(text, /app9 +removed +acked +201/);
  assert.match(text, /lbctl nodes resync app1/);
});

test("what the client got, over repeats", () => {
  const text = shown({
    replies: [
      { at: AT, ms: 5000, status: 504, code: "ack_timeout", repeat: false },
      { at: AT, ms: 3, status: 201, code: null, repeat: true },
      { at: AT, ms: 20, status: 0, code: "client_left", repeat: false },
    ],
  });
  assert.match(
    text,
    /504 ack_timeout after 5\.0 s; 201 after 3 ms \(its Idempotency-Key again\); nothing: it left after 20 ms/,
  );
});

test("the list has one line for each write, with every node in it", () => {
  const text = stripVTControlCharacters(
    renderWrites(
      [
        write(),
        write({
          seq: 43,
          state: "pending",
          marks: ["late"],
          nodes: [node("app1"), open("app2", { step: "node-out", state: "down" })],
        }),
      ],
      NOW,
    ),
  );
  assert.match(text, /42 +1 min 0 s +POST \/register +delivered +201 +app1=201 app2=201$/m);
  assert.match(text, /43 +1 min 0 s +POST \/register +pending +201 +app1=201 app2=down +late$/m);
  assert.equal(renderWrites([]), "no writes");
});

test("foreign text cannot move the cursor or colour the terminal", () => {
  const nodes = [
    open("app1", {
      step: "paused",
      lastFailure: { at: NOW, status: null, reason: "\u001b[2Jgone\r\u0007" },
      nextAt: NOW,
    }),
  ];
  const raw = renderWrite(write({ path: "/\u001b[31mred", requestId: "\u009b31m", nodes }), NOW);
  assert.ok(!raw.includes("\u001b[2J") && !raw.includes("\r") && !raw.includes("\u0007"));
  assert.ok(!raw.includes("\u009b"));
});

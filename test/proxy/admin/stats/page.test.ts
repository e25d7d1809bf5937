import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeHtml, html } from "../../../../proxy/admin/html.ts";
import {
  age,
  bytes,
  count,
  latency,
  millis,
  plural,
  rate,
  share,
} from "../../../../proxy/admin/stats/format.ts";
import { statsFragment, statsPage } from "../../../../proxy/admin/stats/page.ts";
import { viewOf as partsOf, type StatsView } from "../../../../proxy/admin/stats/view.ts";
import { History } from "../../../../proxy/history/history.ts";
import { createMetrics } from "../../../../proxy/metrics/metrics.ts";
import { NODE_STATES } from "../../../../proxy/node-state.ts";
import { FakeControl, node, startAdmin } from "../fake-control.ts";

const ADMIN = { user: "admin", role: "admin" } as const;

function viewOf(control: FakeControl, more: Partial<StatsView> = {}): StatsView {
  const metrics = createMetrics({ routes: [], nodes: [], codes: [] });
  const history = new History({ control, metrics });
  history.sample(Date.now());
  return { ...partsOf({ control, history }, ADMIN), ...more };
}

function textOf(markup: string): string {
  return markup.replace(/<[^>]*>/g, " ").replace(/\s+/g, " ");
}

test("the page is whole without scripts: facts, every node, every route, and it reloads itself", async (t) => {
  const { call } = await startAdmin(t);
  const response = await call("/");
  assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
  const markup = await response.text();
  const text = textOf(markup);
  for (const part of [
    "default",
    "127.0.0.1:8080",
    "48,211",
    "0.1.0, pid 4711",
    "1 d 2 h",
    "app1",
    "app2",
    "app3",
    "in-sync",
    "200 in 1 ms",
    "all-1",
    "POST /register, /changePassword",
    "all nodes, ack all",
    "one node, roundrobin",
  ]) {
    assert.ok(text.includes(part), part);
  }
  assert.match(markup, /<noscript><meta http-equiv="refresh" content="5"><\/noscript>/);
});

test("nothing on the page is inline: the policy would not let it run", async (t) => {
  const { call } = await startAdmin(t);
  for (const path of ["/", "/nodes/app1/drain"]) {
    const markup = await (await call(path)).text();
    assert.doesNotMatch(markup, /<script(?![^>]*\bsrc=)/);
    assert.doesNotMatch(markup, /<style|\bstyle=|\son[a-z]+=|javascript:/);
  }
});

test("every state is told by a word, and never by a colour alone", () => {
  const control = new FakeControl(NODE_STATES.map((state, index) => node(`app${index + 1}`, { state })));
  const markup = statsFragment(viewOf(control)).text;
  for (const state of NODE_STATES)
    assert.match(markup, new RegExp(`<span class="pill \\w+">${state}</span>`));
});

test("foreign text in a reason, a check, a reload or a name can't become markup", () => {
  const evil = `<script>alert("1")</script>'&`;
  const control = new FakeControl([
    node("app1", { state: "quarantined", reason: evil, lastCheck: { ok: false, at: 0, detail: evil } }),
    node("app2", { name: evil, url: evil, bootstrap: evil }),
  ]);
  control.more = {
    cluster: evil,
    listen: evil,
    version: evil,
    reload: { at: 0, ok: false, problems: [evil] },
  };
  const markup = statsPage(viewOf(control, { caller: { user: evil, role: "admin" } })).text;
  assert.doesNotMatch(markup, /<script>|alert\("1"\)|<\/script>'&/);
  assert.match(markup, /&lt;script&gt;alert\(&quot;1&quot;\)&lt;\/script&gt;&#39;&amp;/);
});

test("what is wrong is said on top, the worst first, each with what to do", () => {
  const control = new FakeControl([
    node("app1", { state: "maint", reason: "an operator said maint" }),
    node("app2", { state: "quarantined", reason: "answered 409" }),
    node("app3", { state: "down", reason: "refused" }),
    node("app4", { state: "catching-up", lag: 12 }),
  ]);
  control.more = {
    setAside: 2,
    reload: { at: 0, ok: false, problems: ["nodes/0: wrong"] },
    journalBytes: 900,
    journalMaxBytes: 1000,
  };
  control.ready_ = false;
  const markup = statsFragment(viewOf(control)).text;
  const text = textOf(markup);
  for (const part of [
    "6 problems · 0 of 4 nodes in-sync",
    "Reads and writes are refused: 0 of 4 nodes in-sync, 1 needed",
    "app2 is quarantined: answered 409",
    "lbctl nodes resync app2",
    "app3 is down for 12 m 34 s: refused",
    "2 writes are set aside",
    "old config is in use: nodes/0: wrong",
    "The journal is 90 % full",
    "app4 catches up: 12 writes to go",
    "app1 is maint for 12 m 34 s",
  ]) {
    assert.ok(text.includes(part), part);
  }
  const tones = [...markup.matchAll(/<li class="(\w+)"><span class="what">/g)].map(([, tone]) => tone);
  assert.deepEqual(tones, ["bad", "bad", "bad", "bad", "bad", "bad", "busy", "off"]);
});

test("when all is well the page says so, and nothing else", () => {
  const markup = statsFragment(viewOf(new FakeControl())).text;
  assert.match(textOf(markup), /All is well · 3 of 3 nodes in-sync/);
  assert.doesNotMatch(markup, /class="what">.*class="todo"/);
});

test("requests that fail now are a problem, and those of long ago are not", () => {
  const control = new FakeControl();
  const metrics = createMetrics({ routes: [], nodes: [], codes: [] });
  const history = new History({ control, metrics });
  const total = control.status().totals;
  const at = Date.now() - 100_000;
  const said = (second: number, reads: number, readErrors: number) => {
    control.more = { totals: { ...total, reads, readErrors } };
    history.sample(at + second * 1000);
    return textOf(statsFragment(partsOf({ control, history }, ADMIN)).text);
  };
  said(0, 1000, 500);
  assert.doesNotMatch(said(1, 1100, 500), /reads fail/);
  assert.match(said(2, 1200, 550), /25 % of the reads fail/);
  for (let second = 3; second < 32; second++) said(second, 1200 + second, 550);
  assert.doesNotMatch(said(32, 1300, 550), /reads fail/);
});

test("a backlog that shrinks has an end, and one that doesn't is a problem, but not at once", () => {
  const said = (seconds: number, catchUpEta: number | null) => {
    const since = Date.now() - seconds * 1000;
    const late = node("app1", { state: "catching-up", lag: 2000, since, catchUpEta });
    return textOf(statsFragment(viewOf(new FakeControl([late]))).text);
  };
  assert.match(said(60, 20), /Recovering by itself .* 2,000 writes to go, about 20 s/);
  assert.match(said(1, null), /Recovering by itself .* 2,000 writes to go\./);
  assert.match(said(60, null), /1 problem .* 2,000 writes to go, and they don't get fewer/);
});

test("a certificate that expires soon, or did, is a problem; one that lasts is not", () => {
  const said = (days: number) => {
    const control = new FakeControl();
    control.more = { certificates: [{ listener: "admin", expiresAt: Date.now() + days * 86_400_000 }] };
    return textOf(statsFragment(viewOf(control)).text);
  };
  assert.match(said(-1), /The certificate of the admin listener has expired\./);
  assert.match(said(3.1), /The certificate of the admin listener expires in 3 d 2 h\./);
  assert.match(said(30), /All is well/);
});

test("a disk without room for what the journal may still take is a problem", () => {
  const said = (free: number) => {
    const control = new FakeControl();
    control.more = { journalBytes: 100, journalMaxBytes: 1000, journalDisk: { free, size: 5000 } };
    return textOf(statsFragment(viewOf(control)).text);
  };
  assert.match(said(899), /The journal's disk has 899 B left, and the journal may still take 900 B\./);
  assert.match(said(900), /All is well/);
});

test("the viewer sees no buttons", async (t) => {
  const { call } = await startAdmin(t);
  assert.match(await (await call("/")).text(), /href="\/nodes\/app1\/drain"/);
  assert.doesNotMatch(await (await call("/", { as: "viewer" })).text(), /href="\/nodes\//);
});

test("a button leads to a page that asks first, and whose form does it", async (t) => {
  const { call, control, url } = await startAdmin(t);
  const asked = await (await call("/nodes/app2/drain")).text();
  assert.match(asked, /<form method="post" action="\/nodes\/app2\/drain">/);
  assert.match(textOf(asked), /Drain app2 \?/);
  assert.deepEqual(control.calls, [], "asking changes nothing");
  const done = await call("/nodes/app2/drain", { method: "POST", headers: { origin: url } });
  assert.equal(done.status, 303);
  assert.equal(done.headers.get("location"), "/");
  assert.deepEqual(control.calls, [["drain", "app2", false]]);
});

test("for the last in-sync node the page warns, and asks to be told twice", async (t) => {
  const { call, control } = await startAdmin(t, { control: new FakeControl([node("app1")]) });
  const asked = await (await call("/nodes/app1/drain")).text();
  assert.match(asked, /last node in-sync/);
  assert.match(asked, /<input type="checkbox" name="force" value="1" required>/);
  const refused = await call("/nodes/app1/drain", { method: "POST" });
  assert.equal(refused.status, 409);
  assert.equal(refused.headers.get("content-type"), "text/html; charset=utf-8");
  assert.match(textOf(await refused.text()), /It is the last node in-sync.*Back/);
  const body = new URLSearchParams({ force: "1" });
  assert.equal((await call("/nodes/app1/drain", { method: "POST", body })).status, 303);
  assert.deepEqual(control.calls.at(-1), ["drain", "app1", true]);
});

test("a quarantined node is made ready only when told twice", async (t) => {
  const { call, control } = await startAdmin(t, {
    control: new FakeControl([node("app1", { state: "quarantined" })]),
  });
  assert.match(
    await (await call("/nodes/app1/ready")).text(),
    /resync it, unless.*required> Do it all the same/s,
  );
  assert.equal((await call("/nodes/app1/ready", { method: "POST" })).status, 409);
  assert.equal((await call("/api/nodes/app1/ready", { method: "POST" })).status, 409);
  assert.equal((await call("/api/nodes/app1/ready?force=1", { method: "POST" })).status, 200);
  assert.deepEqual(control.calls.at(-1), ["ready", "app1", true]);
});

test("pages for what isn't there are pages, too", async (t) => {
  const { call } = await startAdmin(t);
  for (const [path, status] of [
    ["/nodes/app9/drain", 404],
    ["/nodes/app1/explode", 400],
    ["/nodes/app1/constructor", 400],
  ] as const) {
    const response = await call(path);
    assert.equal(response.status, status, path);
    assert.equal(response.headers.get("content-type"), "text/html; charset=utf-8");
  }
});

test("zeros are quiet and errors are not", () => {
  const control = new FakeControl([node("app1", { readErrors: 3, ackErrors: 0 })]);
  const markup = statsFragment(viewOf(control)).text;
  assert.match(markup, /data-label="Errors"><span class="alarm" title="reads 3, writes 0">3</);
  assert.match(markup, /data-label="Now"><span class="zero">0</);
});

test("html escapes text, lists and nested templates once", () => {
  const inner = html`<b>${"<i>"}</b>`;
  assert.equal(
    html`<p title="${'"x"'}">${[inner, "&"]}${null}${7}</p>`.text,
    '<p title="&quot;x&quot;"><b>&lt;i&gt;</b>&amp;7</p>',
  );
  assert.equal(escapeHtml("'"), "&#39;");
});

test("resync asks where to copy from, and hands that on", async (t) => {
  const { call, control } = await startAdmin(t, {
    control: new FakeControl([node("app1"), node("app2", { state: "quarantined" }), node("app3")]),
  });
  const asked = await (await call("/nodes/app2/resync")).text();
  assert.deepEqual(
    [...asked.matchAll(/<option value="(\w*)">/g)].map(([, name]) => name),
    ["", "app1", "app3"],
  );
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const done = await call("/nodes/app2/resync", { method: "POST", headers: form, body: "from=app3" });
  assert.equal(done.status, 303);
  await call("/nodes/app2/resync", { method: "POST", headers: form, body: "from=" });
  assert.deepEqual(control.calls, [
    ["resync", "app2", { from: "app3" }],
    ["resync", "app2", {}],
  ]);
});

test("GET of anything changes nothing", async (t) => {
  const { call, control } = await startAdmin(t);
  for (const action of ["drain", "maint", "ready", "resync"]) {
    await call(`/nodes/app1/${action}?force=1`);
    await call(`/api/nodes/app1/${action}?force=1`);
  }
  for (const path of ["/", "/;csv", "/api/history", "/api/status"]) await call(path);
  assert.deepEqual(control.calls, []);
});

test("a cookie is worth nothing: none is set, and one that is sent opens nothing", async (t) => {
  const { call, control } = await startAdmin(t);
  const cookie = (await call("/")).headers.get("set-cookie");
  assert.equal(cookie, null);
  const headers = { cookie: "session=stolen; lbctl=admin" };
  for (const path of ["/nodes/app1/drain", "/api/nodes/app1/drain"]) {
    assert.equal((await call(path, { method: "POST", as: null, headers })).status, 401);
  }
  assert.equal((await call("/api/stream", { as: null, headers })).status, 401);
  assert.deepEqual(control.calls, []);
});

const FIGURES: readonly (readonly [string, string])[] = [
  [count(1_234_567), "1,234,567"],
  [age(-1), "0 s"],
  [age(0), "0 s"],
  [age(0.01), "0.1 s"],
  [age(0.44), "0.4 s"],
  [age(59.4), "59 s"],
  [age(59.6), "1 m"],
  [age(200), "3 m 20 s"],
  [age(3600), "1 h"],
  [age(93_784), "1 d 2 h"],
  [latency(null), "–"],
  [latency(0.00042), "0.42 ms"],
  [latency(0.0081), "8.1 ms"],
  [latency(0.23), "230 ms"],
  [latency(1.24), "1.2 s"],
  [millis(null), "–"],
  [millis(0.0017), "1.7"],
  [millis(1.2), "1,200"],
  [rate(null), "–"],
  [rate(0), "0"],
  [rate(0.44), "0.4"],
  [rate(1012.4), "1,012"],
  [plural(1, "write"), "1 write"],
  [plural(2000, "write"), "2,000 writes"],
  [bytes(0), "0 B"],
  [bytes(1023), "1023 B"],
  [bytes(1536), "1.5 KiB"],
  [bytes(81_000_000), "77.2 MiB"],
  [bytes(1024 ** 3), "1 GiB"],
  [bytes(2 ** 60), "1048576 TiB"],
  [share(0, 100), ""],
  [share(1, 0), ""],
  [share(1, 100_000), "< 0.01 %"],
  [share(1, 40), "2.5 %"],
  [share(100, 100), "100 %"],
];
for (const [got, expected] of FIGURES)
  test(`a figure reads ${expected || "nothing"}`, () => assert.equal(got, expected));

import assert from "node:assert/strict";
import { test } from "node:test";
import { escapeHtml, html } from "../../../../proxy/admin/html.ts";
import { age, bytes, count, share } from "../../../../proxy/admin/stats/format.ts";
import { statsFragment, statsPage } from "../../../../proxy/admin/stats/page.ts";
import { type StatsView, viewOf as viewOfParts } from "../../../../proxy/admin/stats/view.ts";
import { NODE_STATES } from "../../../../proxy/node-state.ts";
import { FakeControl, node, startAdmin } from "../fake-control.ts";

function viewOf(control: FakeControl, more: Partial<StatsView> = {}): StatsView {
  const caller = { user: "admin", role: "admin" } as const;
  return { status: control.status(), ready: control.isReady(), caller, now: Date.now(), ...more };
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
    "version 0.1.0",
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

test("what an operator has to look at is said on top, and nothing when all is well", () => {
  const control = new FakeControl([
    node("app1"),
    node("app2", { state: "quarantined", reason: "answered 409" }),
  ]);
  control.more = { setAside: 2, reload: { at: 0, ok: false, problems: ["nodes/0: wrong"] } };
  control.ready_ = false;
  const text = textOf(statsFragment(viewOf(control)).text);
  for (const part of [
    "not ready",
    "writes are refused",
    "is quarantined: answered 409",
    "lbctl nodes resync app2",
    "2 writes are set aside",
    "old config is in use: nodes/0: wrong",
  ]) {
    assert.ok(text.includes(part), part);
  }
  assert.doesNotMatch(statsFragment(viewOf(new FakeControl())).text, /<li>/);
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
  assert.match(markup, /<td class="n alarm" data-label="Read errors">3<\/td>/);
  assert.match(markup, /<td class="n zero" data-label="Ack errors">0<\/td>/);
});

test("html escapes text, lists and nested templates once", () => {
  const inner = html`<b>${"<i>"}</b>`;
  assert.equal(
    html`<p title="${'"x"'}">${[inner, "&"]}${null}${7}</p>`.text,
    '<p title="&quot;x&quot;"><b>&lt;i&gt;</b>&amp;7</p>',
  );
  assert.equal(escapeHtml("'"), "&#39;");
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

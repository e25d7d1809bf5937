import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { startBalancer } from "../../support/balancer.ts";
import { type BareCluster, header, metric, startCluster, writesAt } from "../../support/bare-cluster.ts";
import { ask, key, read, register } from "../../support/client.ts";
import { type CollectedSpan, type Collector, startCollector } from "../../support/collector.ts";
import { startNode, type TestNode } from "../../support/nodes.ts";
import { startProcess } from "../../support/process.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { until } from "../../support/wait.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const SAMPLED = `00-${TRACE}-${PARENT}-01`;

interface Traced extends BareCluster {
  readonly collector: Collector;
  /** Waits until so many spans came, and gives them. */
  spans(count: number): Promise<CollectedSpan[]>;
}

async function startTraced(
  t: TestContext,
  count: number,
  { config = {}, ...more }: { config?: Record<string, unknown>; sampleRatio?: number } = {},
): Promise<Traced> {
  const collector = await startCollector(t);
  const tracing = { endpoint: collector.url, sampleRatio: more.sampleRatio ?? 1 };
  const cluster = await startCluster(t, count, { tracing, ...config });
  const spans = (wanted: number) =>
    until(() => (collector.spans().length >= wanted ? collector.spans() : null), { what: `${wanted} spans` });
  return { ...cluster, collector, spans };
}

function byKind(spans: readonly CollectedSpan[], kind: CollectedSpan["kind"]): CollectedSpan[] {
  return spans.filter((span) => span.kind === kind);
}

function server(spans: readonly CollectedSpan[]): CollectedSpan {
  const [one, ...more] = byKind(spans, "server");
  assert.deepEqual(more, []);
  assert.ok(one);
  return one;
}

function traceparentAt(node: TestNode | undefined, index = 0): string {
  return header(node?.log[index], "traceparent");
}

test("a read: one span for the request, one for its leg, whose id the node gets", async (t) => {
  const { balancer, nodes, collector, spans } = await startTraced(t, 1);
  await read(balancer, "/login?user=ada");
  const all = await spans(2);
  const request = server(all);
  const [leg] = byKind(all, "client");
  assert.equal(request.parentSpanId, "");
  assert.equal(leg?.parentSpanId, request.spanId);
  assert.equal(leg?.traceId, request.traceId);
  assert.equal(traceparentAt(nodes[0]), `00-${request.traceId}-${leg?.spanId}-01`);
  // The SDK's clock begins each span at a whole ms.
  assert.ok((leg?.start ?? 0n) >= request.start && (leg?.end ?? 0n) <= request.end + 1_000_000n);
  assert.equal(collector.node.log[0]?.url, "/v1/traces");
  assert.equal(header(collector.node.log[0], "content-type"), "application/json");
});

test("names and attributes are those of the HTTP conventions, and ours", async (t) => {
  const { balancer, nodes, spans } = await startTraced(t, 1);
  await read(balancer, "/login?user=ada");
  await register(balancer, "ada");
  const all = await spans(4);
  const [got, posted] = ["GET", "POST"].map((method) =>
    all.filter(({ attributes }) => attributes["http.request.method"] === method),
  );
  const port = Number(new URL(balancer.url).port);
  const about = server(got ?? []);
  assert.equal(about.name, "GET");
  assert.deepEqual(about.attributes, {
    "http.request.method": "GET",
    "server.address": "127.0.0.1",
    "server.port": port,
    "url.scheme": "http",
    "url.path": "/login",
    "client.address": "127.0.0.1",
    "network.protocol.version": "1.1",
    "http.response.status_code": 200,
    "lb.route": "one-2",
    "lb.node": "app1",
  });
  const write = server(posted ?? []);
  assert.equal(write.name, "POST /register");
  assert.equal(write.attributes["http.route"], "/register");
  assert.equal(write.attributes["lb.seq"], 1);
  const [leg] = byKind(posted ?? [], "client");
  assert.equal(leg?.name, "POST");
  assert.deepEqual(leg?.attributes, {
    "http.request.method": "POST",
    "server.address": "127.0.0.1",
    "server.port": nodes[0]?.port,
    "url.full": `${nodes[0]?.url}/register`,
    "network.protocol.version": "1.1",
    "lb.node": "app1",
    "lb.attempt": 1,
    "lb.seq": 1,
    "http.response.status_code": 200,
  });
  const { "service.instance.id": instance, "service.version": version, ...resource } = about.resource;
  assert.deepEqual(resource, { "service.name": "lb-proxy", "service.namespace": "default" });
  assert.match(String(instance), /^[0-9a-f-]{36}$/);
  assert.equal(version, (await balancer.status()).version);
});

test("a client's trace goes on: its span is the parent, its tracestate reaches the node", async (t) => {
  const { balancer, nodes, spans } = await startTraced(t, 1);
  const headers = { traceparent: SAMPLED, tracestate: "vendor=a1,other=b2" };
  await ask(balancer.url, { path: "/login", headers });
  const all = await spans(2);
  const request = server(all);
  assert.deepEqual([request.traceId, request.parentSpanId], [TRACE, PARENT]);
  const [leg] = byKind(all, "client");
  assert.equal(traceparentAt(nodes[0]), `00-${TRACE}-${leg?.spanId}-01`);
  assert.equal(header(nodes[0]?.log[0], "tracestate"), "vendor=a1,other=b2");
  assert.equal(request.traceState, "vendor=a1,other=b2");
});

for (const [what, traceparent] of [
  ["in capitals", SAMPLED.toUpperCase()],
  ["of zeros", `00-${"0".repeat(32)}-${PARENT}-01`],
  ["with a parent of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["of version ff", `ff-${TRACE}-${PARENT}-01`],
  ["too long for version 00", `${SAMPLED}-00`],
  ["cut short", SAMPLED.slice(0, -1)],
  ["that is other text", "x"],
] as const) {
  test(`a traceparent ${what} is not believed: a trace begins here, and its tracestate ends`, async (t) => {
    const { balancer, nodes, spans } = await startTraced(t, 1);
    await ask(balancer.url, { path: "/login", headers: { traceparent, tracestate: "vendor=a1" } });
    const request = server(await spans(2));
    assert.equal(request.parentSpanId, "");
    assert.notEqual(request.traceId, TRACE);
    assert.match(traceparentAt(nodes[0]), new RegExp(`^00-${request.traceId}-[0-9a-f]{16}-01$`));
    assert.equal(header(nodes[0]?.log[0], "tracestate"), "");
  });
}

test("a read that is tried on the next node: a leg each, the first one failed, both of one request", async (t) => {
  const { balancer, nodes, spans } = await startTraced(t, 2);
  nodes[0]?.behave({ fault: "reset" });
  nodes[1]?.behave({ fault: "reset" });
  assert.equal((await read(balancer)).status, 502);
  const all = await spans(3);
  const request = server(all);
  const legs = byKind(all, "client").toSorted((a, b) => Number(a.start - b.start));
  assert.deepEqual(
    legs.map(({ parentSpanId, error, attributes }) => [
      parentSpanId,
      error,
      attributes["lb.attempt"],
      attributes["error.type"],
      attributes["http.request.resend_count"],
    ]),
    [
      [request.spanId, true, 1, "reset", undefined],
      [request.spanId, true, 2, "reset", 1],
    ],
  );
  assert.equal(new Set(legs.map(({ attributes }) => attributes["lb.node"])).size, 2);
  assert.equal(request.error, true);
  assert.equal(request.attributes["error.type"], "all_nodes_failed");
  assert.equal(request.attributes["http.response.status_code"], 502);
});

test("a write: a leg for each node and each attempt, all with the request as parent, each node its own", async (t) => {
  const { balancer, nodes, spans } = await startTraced(t, 3);
  let fails = 1;
  nodes[2]?.behave(() => (fails-- > 0 ? { status: 503 } : {}));
  await register(balancer, "ada");
  const all = await spans(5);
  const request = server(all);
  const legs = byKind(all, "client");
  for (const { parentSpanId, traceId } of legs) {
    assert.deepEqual([parentSpanId, traceId], [request.spanId, request.traceId]);
  }
  const told = legs
    .map(({ attributes: a, error }) => [a["lb.node"], a["lb.attempt"], a["http.response.status_code"], error])
    .toSorted();
  assert.deepEqual(told, [
    ["app1", 1, 200, false],
    ["app2", 1, 200, false],
    ["app3", 1, 503, true],
    ["app3", 2, 200, false],
  ]);
  for (const [index, node] of nodes.entries()) {
    const mine = legs.filter(({ attributes }) => attributes["lb.node"] === `app${index + 1}`);
    const sent = writesAt(node).map((arrival) => header(arrival, "traceparent"));
    assert.deepEqual(
      sent.toSorted(),
      mine.map(({ spanId }) => `00-${request.traceId}-${spanId}-01`).toSorted(),
    );
  }
  assert.equal((await balancer.write(1)).traceId, request.traceId);
});

test("a leg after a restart still belongs to the write's trace, hours or a crash later", async (t) => {
  const { balancer, spans } = await startTraced(t, 2);
  await balancer.admin("/api/nodes/app2/maint", "POST");
  await register(balancer, "ada", { traceparent: SAMPLED });
  const before = await spans(2);
  await balancer.kill9();
  await balancer.start("listening");
  await balancer.admin("/api/nodes/app2/ready", "POST");
  await balancer.settled();
  const all = await spans(3);
  const request = server(all);
  assert.equal(request.traceId, TRACE);
  const [late] = all.slice(before.length);
  assert.deepEqual(
    [late?.traceId, late?.parentSpanId, late?.attributes["lb.node"], late?.attributes["lb.seq"]],
    [TRACE, request.spanId, "app2", 1],
  );
});

test("a repeat by the client is a request of its own, with the number of the first, and no legs", async (t) => {
  const { balancer, spans } = await startTraced(t, 1);
  await register(balancer, "ada", key("k1"));
  await register(balancer, "ada", key("k1"));
  const all = await spans(3);
  const requests = byKind(all, "server");
  assert.deepEqual(
    requests.map(({ attributes }) => attributes["lb.seq"]),
    [1, 1],
  );
  assert.equal(new Set(requests.map(({ traceId }) => traceId)).size, 2);
  assert.equal(byKind(all, "client").length, 1);
});

test("what is refused has a span, too: no route, wrong method, no node", async (t) => {
  const { balancer, nodes, spans } = await startTraced(t, 1);
  await ask(balancer.url, { method: "DELETE", path: "/login" });
  await ask(balancer.url, { method: "PROPFIND", path: "/login" });
  await nodes[0]?.stop();
  await balancer.reached("app1", "down");
  await register(balancer, "ada");
  const all = await spans(3);
  const told = all.map(({ name, error, attributes: a }) => [
    name,
    a["http.request.method"],
    a["http.response.status_code"],
    error,
    a["error.type"],
  ]);
  assert.deepEqual(told, [
    ["DELETE", "DELETE", 405, false, undefined],
    ["HTTP", "_OTHER", 405, false, undefined],
    ["POST /register", "POST", 503, true, "no_in_sync_node"],
  ]);
});

test("sampleRatio 0: no span of our own traces, the node gets a traceparent that says so; a client's flag decides", async (t) => {
  const { balancer, nodes, collector, spans } = await startTraced(t, 1, { sampleRatio: 0 });
  await read(balancer);
  await register(balancer, "ada");
  for (const index of [0, 1])
    assert.match(traceparentAt(nodes[0], index), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  await ask(balancer.url, { path: "/login", headers: { traceparent: SAMPLED } });
  for (const { traceId } of await spans(2)) assert.equal(traceId, TRACE);
  assert.equal(collector.spans().length, 2);
});

test("sampleRatio 1 and a client that does not want its trace recorded: it is not", async (t) => {
  const { balancer, nodes, collector, spans } = await startTraced(t, 1);
  await register(balancer, "ada", { traceparent: SAMPLED.replace(/01$/, "00") });
  assert.match(traceparentAt(nodes[0]), new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
  await read(balancer);
  await spans(2);
  assert.ok(collector.spans().every(({ traceId }) => traceId !== TRACE));
});

test("off: the client's own traceparent and tracestate reach the node as they are, and nothing is exported", async (t) => {
  const collector = await startCollector(t);
  const { balancer, nodes } = await startCluster(t, 1);
  const headers = { traceparent: "not even valid", tracestate: "a=1" };
  await ask(balancer.url, { path: "/login", headers });
  await register(balancer, "ada", { traceparent: SAMPLED });
  await read(balancer);
  assert.equal(traceparentAt(nodes[0], 0), "not even valid");
  assert.equal(header(nodes[0]?.log[0], "tracestate"), "a=1");
  assert.equal(traceparentAt(nodes[0], 1), SAMPLED);
  assert.equal(traceparentAt(nodes[0], 2), "");
  assert.equal(collector.node.begun, 0);
  assert.equal(await metric(balancer, "lb_trace_spans_total"), 0);
});

test("the log's lines of a request and of a failed leg have its trace id", async (t) => {
  const { balancer, nodes } = await startTraced(t, 2);
  nodes[1]?.behave({ status: 503 });
  await register(balancer, "ada", { traceparent: SAMPLED });
  nodes[0]?.behave({ fault: "reset" });
  await ask(balancer.url, { path: "/login", headers: { traceparent: SAMPLED } });
  const with_ = (msg: string) =>
    until(() => {
      const lines = balancer.output().split("\n");
      return lines.find((line) => line.includes(`"msg":"${msg}"`) && line.includes(`"trace":"${TRACE}"`));
    });
  await with_("request");
  await with_("leg failed");
});

test("neither query, body nor credentials come into a span; the collector gets its own", async (t) => {
  const { balancer, nodes, collector } = await startTraced(t, 1);
  nodes[0]?.behave({ body: "secret-answer", headers: { "x-a": "secret-header" } });
  const headers = {
    authorization: "Basic secret-login",
    cookie: "secret-cookie",
    "user-agent": "secret-agent",
  };
  const body = "username=secret-user&password=secret-body";
  await ask(balancer.url, { method: "POST", path: "/register?t=secret-query", headers, body });
  await ask(balancer.url, { path: "/login?t=secret-query", headers });
  await until(() => collector.spans().length === 4);
  assert.doesNotMatch(collector.text(), /secret/);
});

test("headersFile: its fields go to the collector, and to no node and no log", async (t) => {
  const collector = await startCollector(t);
  const { balancer, nodes, listed } = await startCluster(t, 1);
  writeFileSync(
    join(balancer.folder, "collector.headers"),
    "authorization: Bearer hush-1\n\nx-tenant: night\n",
  );
  await balancer.stop();
  // Tracing begins with the process.
  const tracing = { endpoint: `${collector.url}/otlp`, sampleRatio: 1, headersFile: "./collector.headers" };
  const traced = await startBalancer(t, { nodes: listed, folder: balancer.folder, config: { tracing } });
  await read(traced);
  const arrival = await until(() => collector.node.log[0]);
  assert.equal(arrival.url, "/otlp");
  assert.equal(header(arrival, "authorization"), "Bearer hush-1");
  assert.equal(header(arrival, "x-tenant"), "night");
  assert.ok(!traced.output().includes("hush-1"));
  assert.ok(nodes[0]?.log.every(({ rawHeaders }) => !rawHeaders.join().includes("hush-1")));
});

test("a headersFile that cannot be used ends the start, and is not quoted", async (t) => {
  const folder = tempFolder(t);
  writeFileSync(join(folder, "collector.headers"), "Bearer hush-2\n");
  const tracing = { endpoint: "http://127.0.0.1:9", headersFile: "./collector.headers" };
  const nodes = [{ name: "app1", url: "http://127.0.0.1:9" }];
  await assert.rejects(startBalancer(t, { nodes, folder, config: { tracing } }), (error: Error) => {
    assert.match(error.message, /tracing\/headersFile: expected "name: value" in line 1, got other text/);
    assert.doesNotMatch(error.message, /hush/);
    return true;
  });
});

test("the SDK is loaded only where tracing is on", async (t) => {
  const collector = await startCollector(t);
  const node = await startNode(t);
  const hook = join(tempFolder(t), "hook.mjs");
  writeFileSync(
    hook,
    `import { registerHooks } from "node:module";
     registerHooks({ load(url, context, next) {
       if (url.includes("/sdk-trace/")) process.stderr.write("loads the SDK\\n");
       return next(url, context);
     } });`,
  );
  const loads = async (config: Record<string, unknown>) => {
    const nodes = [{ name: "app1", url: node.url }];
    const under = ["env", `NODE_OPTIONS=--import=${pathToFileURL(hook).href}`];
    return (await startBalancer(t, { nodes, config, under })).output().includes("loads the SDK");
  };
  assert.equal(await loads({ tracing: { endpoint: collector.url } }), true);
  assert.equal(await loads({}), false);
});

test("what is built and installed exports spans, too", async (t) => {
  const collector = await startCollector(t);
  const node = await startNode(t);
  const folder = tempFolder(t);
  const config = {
    listen: "127.0.0.1:0",
    admin: { listen: "127.0.0.1:0" },
    nodes: [{ name: "app1", url: node.url, empty: true }],
    health: { interval: "50ms", timeout: "50ms", rise: 1 },
    tracing: { endpoint: collector.url, sampleRatio: 1 },
  };
  writeFileSync(join(folder, "lb.json"), JSON.stringify(config));
  const built = await startProcess(t, {
    name: "lb-proxy, built",
    command: process.execPath,
    args: [join(import.meta.dirname, "../../../dist/proxy.mjs"), "run", "--config", join(folder, "lb.json")],
    ready: /"listen":"([^"]+)".*"msg":"ready"/,
  });
  const { listen } = /"listen":"(?<listen>[^"]+)"/.exec(built.output())?.groups ?? {};
  await until(async () => (await read({ url: `http://${listen}` })).status === 200);
  await until(() => byKind(collector.spans(), "client").length === 1);
});

test("a reload that changes tracing is refused: it begins with the process", async (t) => {
  const { balancer, listed, collector } = await startTraced(t, 1);
  const tracing = { endpoint: collector.url, sampleRatio: 0.5 };
  const { reload } = await balancer.reload({ nodes: listed, config: { tracing } });
  assert.equal(reload?.ok, false);
  assert.match(reload?.problems.join() ?? "", /tracing\/sampleRatio: expected no change while running/);
});

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { TracerProvider } from "@opentelemetry/sdk-trace";
import { SpanExport } from "../../../proxy/tracing/span-export.ts";
import { metric, startCluster } from "../../support/bare-cluster.ts";
import { read, register } from "../../support/client.ts";
import { startCollector } from "../../support/collector.ts";
import { startNode } from "../../support/nodes.ts";
import { until } from "../../support/wait.ts";

/** Spans that go to `url`, and what is told of them. */
function exportTo(url: string) {
  const told = { exported: 0, dropped: 0, works: [] as boolean[] };
  const spans = new SpanExport(
    `${url}/v1/traces`,
    {},
    {
      exported: (count) => {
        told.exported += count;
      },
      dropped: (count) => {
        told.dropped += count;
      },
      works: (error) => void told.works.push(error === null),
    },
  );
  const tracer = new TracerProvider({ spanProcessors: [spans] }).getTracer("test");
  const make = (count: number) => {
    for (let n = 0; n < count; n++) tracer.startSpan("x").end();
  };
  return { spans, told, make };
}

test("a collector that hangs: the queue fills to its limit, and every span beyond it is dropped and counted", async (t) => {
  const collector = await startCollector(t, { fault: "hang" });
  const { told, make } = exportTo(collector.url);
  make(2048);
  assert.equal(told.dropped, 0);
  make(3000);
  assert.equal(told.dropped, 3000);
});

test("shutdown waits for a collector that hangs only within its bound", async (t) => {
  const collector = await startCollector(t, { fault: "hang" });
  const { spans, told, make } = exportTo(collector.url);
  make(1);
  await spans.shutdown();
  assert.equal(collector.node.log.length, 1);
  assert.deepEqual(told, { exported: 0, dropped: 0, works: [] }, "the export itself is still under way");
});

test("shutdown takes along what has not gone out yet", async (t) => {
  const collector = await startCollector(t);
  const { spans, told, make } = exportTo(collector.url);
  make(700);
  await spans.shutdown();
  assert.equal(collector.spans().length, 700);
  assert.equal(told.exported, 700);
});

test("a collector that refuses: its spans are dropped, counted, told of, and later ones go out again", async (t) => {
  const collector = await startCollector(t, { status: 400 });
  const { told, make } = exportTo(collector.url);
  make(3);
  await until(() => told.dropped === 3);
  collector.node.behave({ status: 200, body: "{}" });
  make(2);
  await until(() => told.exported === 2);
  assert.deepEqual(told.works, [false, true]);
});

/** An address where nobody listens, until its node is started again. */
async function nobody(t: TestContext) {
  const node = await startNode(t, { status: 200, body: "{}" });
  await node.stop();
  return node;
}

test("with the collector down, reads and writes go on as ever; one warning, a count, and one line when it is back", async (t) => {
  const collector = await nobody(t);
  const { balancer } = await startCluster(t, 2, { tracing: { endpoint: collector.url, sampleRatio: 1 } });
  for (let n = 0; n < 20; n++) {
    assert.equal((await read(balancer)).status, 200);
    assert.equal((await register(balancer, `user${n}`)).status, 200);
  }
  await until(async () => (await metric(balancer, "lb_trace_spans_total", 'outcome="dropped"')) > 0, {
    timeout: 30_000,
  });
  const lines = () =>
    balancer
      .output()
      .split("\n")
      .filter((line) => line.includes('"msg":"trace export"'));
  assert.equal(lines().length, 1);
  assert.match(lines()[0] ?? "", /"level":40.*"works":false/);
  await collector.restart();
  await read(balancer);
  await until(async () => (await metric(balancer, "lb_trace_spans_total", 'outcome="exported"')) > 0, {
    timeout: 30_000,
  });
  await until(() => lines().length === 2);
  assert.match(lines()[1] ?? "", /"level":30.*"works":true/);
});

test("SIGTERM: the spans of the last requests are at the collector when the process has ended", async (t) => {
  const collector = await startCollector(t);
  const { balancer } = await startCluster(t, 2, { tracing: { endpoint: collector.url, sampleRatio: 1 } });
  await register(balancer, "ada");
  assert.equal(await balancer.stop(), 0);
  assert.equal(collector.spans().length, 3);
});

test("SIGTERM with a collector that hangs: the process ends all the same", async (t) => {
  const collector = await startCollector(t, { fault: "hang" });
  const { balancer } = await startCluster(t, 1, { tracing: { endpoint: collector.url, sampleRatio: 1 } });
  await register(balancer, "ada");
  assert.equal(await balancer.stop(), 0);
});

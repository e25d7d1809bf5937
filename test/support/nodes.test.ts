import assert from "node:assert/strict";
import { test } from "node:test";
import { startNode } from "./nodes.ts";
import { until } from "./wait.ts";

test("a node logs what it gets and behaves as told, request by request", async (t) => {
  const node = await startNode(t, ({ index }) => ({ status: index === 0 ? 503 : 201, body: `#${index}` }));
  const first = await fetch(`${node.url}/a?b`, { method: "POST", body: "x=1", headers: { "X-A": "1" } });
  assert.deepEqual([first.status, await first.text()], [503, "#0"]);
  const second = await fetch(node.url);
  assert.deepEqual([second.status, await second.text()], [201, "#1"]);
  const [arrival] = node.log;
  assert.deepEqual([arrival?.method, arrival?.url, arrival?.body], ["POST", "/a?b", "x=1"]);
  assert.equal(arrival?.headers["x-a"], "1");
  node.behave({ status: 204 });
  assert.equal((await fetch(node.url)).status, 204);
});

test("resets, half bodies and silence", async (t) => {
  const node = await startNode(t, { fault: "reset" });
  await assert.rejects(fetch(node.url));
  node.behave({ fault: "half", body: "0123456789" });
  await assert.rejects(fetch(node.url).then((answer) => answer.text()));
  node.behave({ fault: "hang" });
  const leave = new AbortController();
  const asked = fetch(node.url, { signal: leave.signal });
  await until(() => node.log.length === 3);
  leave.abort();
  await assert.rejects(asked, { name: "AbortError" });
  node.behave({ fault: "stall", body: "0123456789" });
  const answer = await fetch(node.url, { signal: AbortSignal.timeout(200) });
  await assert.rejects(answer.text());
});

test("a node stops, cutting what is open, and comes back on its port", async (t) => {
  const node = await startNode(t, { fault: "hang" });
  const { port } = node;
  const asked = fetch(node.url);
  await until(() => node.log.length === 1);
  await Promise.all([assert.rejects(asked), node.stop()]);
  await assert.rejects(fetch(node.url));
  node.behave({});
  await node.restart();
  assert.equal(node.port, port);
  assert.equal((await fetch(node.url)).status, 200);
  assert.equal(node.log.length, 2);
});

/** Which series there are: from the start all, for clients none to be made, of what is gone none. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { METRICS, type MetricRow } from "../../../proxy/metrics/metrics-table.ts";
import { startCluster } from "../../support/bare-cluster.ts";
import { ask, key, register } from "../../support/client.ts";
import { parseSamples, scrape } from "../../support/metrics.ts";
import { startNode } from "../../support/nodes.ts";
import { rawConnect } from "../../support/raw-http.ts";

const ROWS: readonly MetricRow[] = Object.values(METRICS);

test("a balancer that has done nothing exports every metric with a value, and none that is not in the table", async (t) => {
  const { balancer } = await startCluster(t, 2);
  const { body } = await scrape(balancer);
  const samples = parseSamples(body);
  for (const { name, type } of ROWS) {
    const first = type === "histogram" ? `${name}_count` : name;
    const own = [...samples].filter(([sample]) => sample === first || sample.startsWith(`${first}{`));
    if (name !== METRICS.certificates.name) assert.ok(own.length > 0, `${name} has no series`);
    for (const [sample, value] of own) assert.ok(!Number.isNaN(value), sample);
  }
  const named = [...body.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name ?? "");
  const others = named.filter((name) => !/^(nodejs|process)_/.test(name));
  assert.deepEqual(others.toSorted(), ROWS.map(({ name }) => name).toSorted());
});

/** Names of all our series. */
async function series(balancer: Parameters<typeof scrape>[0]): Promise<string[]> {
  const samples = parseSamples((await scrape(balancer)).body);
  return [...samples.keys()].filter((name) => name.startsWith("lb_"));
}

test("whatever clients send and nodes answer, no series is made by it", async (t) => {
  let status = 200;
  const { balancer } = await startCluster(t, 2, {}, () => ({
    status: status++ % 400 < 200 ? 200 : 200 + (status % 400),
    headers: { "x-node": `${status}` },
  }));
  const before = await series(balancer);
  const methods = [
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "HEAD",
    "PROPFIND",
    "M-SEARCH",
    "LINK",
  ];
  for (const [n, method] of [...methods, ...methods].entries()) {
    await ask(balancer.url, {
      method,
      path: `/${"%22%0a".repeat(n)}x${n}"}?a="b{c="d"}`.replaceAll('"', "%22"),
      headers: { "user-agent": `"}\\n evil${n}`, "x-request-id": `id-${n}`, "lb-seq": "7", host: `h${n}` },
    });
    await register(balancer, `"}\nlb_evil{user="${n}"} 1`, key(`k"${n}`));
  }
  const port = Number(new URL(balancer.url).port);
  for (const text of [
    "nonsense\r\n\r\n",
    "BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET / HTTP/9.9\r\nHost: x\r\n\r\n",
  ]) {
    await (await rawConnect(port)).send(text).answer();
  }
  assert.deepEqual(await series(balancer), before);
});

test("nodes and routes that a reload takes out leave no series behind, and those that come have all of theirs", async (t) => {
  const { balancer, listed } = await startCluster(t, 3);
  await register(balancer, "ada");
  const before = await series(balancer);
  const added = await startNode(t);
  await balancer.reload({
    nodes: [...listed.slice(0, 2), { name: "new", url: added.url }],
    config: { routes: [{ match: { methods: ["GET"] }, to: "one", name: "reads" }] },
  });
  await balancer.settled();
  const after = await series(balancer);
  const of = (all: readonly string[], label: string) => all.filter((name) => name.includes(label));
  assert.deepEqual([of(after, '"app3"'), of(after, '"all-1"'), of(after, '"one-2"')], [[], [], []]);
  const renamed = (name: string) => name.replaceAll('"app3"', '"new"');
  assert.deepEqual(of(after, 'node="new"').toSorted(), of(before, 'node="app3"').map(renamed).toSorted());
  const asReads = (name: string) => name.replaceAll('"one-2"', '"reads"');
  assert.deepEqual(
    of(after, 'route="reads"').toSorted(),
    of(before, 'route="one-2"').map(asReads).toSorted(),
  );
  assert.deepEqual(of(after, 'node="app1"'), of(before, 'node="app1"'));
});

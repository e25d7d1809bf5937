/** The read at the end of a deploy, straight from here; by way of the host: test/hosts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { smokeTest } from "../../../cli/hosts/smoke-test.ts";
import { startCluster } from "../../support/bare-cluster.ts";
import { hostsWork, recordWith } from "./site.ts";

test("any answer of a node's is good, also one that refuses", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  for (const status of [200, 401, 500]) {
    nodes[0]?.behave({ status });
    const said = await smokeTest(hostsWork(), recordWith({}, { balancerUrl: balancer.url }));
    assert.equal(said, `${status} from ${balancer.url}`);
  }
  const { method, url } = nodes[0]?.log.at(-1) ?? {};
  assert.deepEqual([method, url], ["GET", "/login"], "it arrived");
});

test("an error of the balancer's own is none", async (t) => {
  const { balancer, nodes } = await startCluster(t, 1);
  await nodes[0]?.stop();
  await assert.rejects(smokeTest(hostsWork(), recordWith({}, { balancerUrl: balancer.url })), {
    code: "smoke_test_failed",
    message: /^expected a node's answer to GET \/login at http:\/\/\S+, got 50[234] \w+$/,
  });
});

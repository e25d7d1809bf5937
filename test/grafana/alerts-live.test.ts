/** Each alert is brought about in a real cluster, fires in a real Prometheus, and clears when it is mended. */

import { test } from "node:test";
import { alertRules, recordingRules } from "../../grafana/rules.ts";
import { shortened } from "../../grafana/time.ts";
import { startCluster } from "../support/bare-cluster.ts";
import { startPrometheus, withoutPrometheus } from "../support/prometheus.ts";
import { until } from "../support/wait.ts";

const skip = withoutPrometheus();

test("a node stops: LbNodeDown", { skip }, async (t) => {
  const { balancer, nodes } = await startCluster(t, 3);
  const time = shortened(300);
  const prometheus = await startPrometheus(t, balancer, {
    interval: "250ms",
    rules: [recordingRules(time), alertRules(time)],
  });
  const fires = async () =>
    (await prometheus.firing()).find(({ labels }) => labels.alertname === "LbNodeDown");
  await nodes[2]?.stop();
  await until(fires);
  await nodes[2]?.restart();
  await until(async () => !(await fires()));
});

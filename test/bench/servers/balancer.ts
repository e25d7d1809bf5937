/** `node balancer.ts CONFIG counting|silent`: the balancer from source, with its metrics or with none. */
import { loadConfig } from "../../../proxy/config/config.ts";
import { createLog } from "../../../proxy/log.ts";
import { Metrics } from "../../../proxy/metrics/metrics.ts";
import { startBalancer } from "../../../proxy/server.ts";
import { sayReady } from "./ready.ts";

/** Takes every call and does nothing; has no durations to show. */
function silent(): Metrics {
  const names = Object.getOwnPropertyNames(Metrics.prototype);
  const nothing = Object.fromEntries(names.map((name) => [name, () => {}]));
  const durations = { routeSeconds: () => [], nodeSeconds: () => ({ reads: [], writes: [] }) };
  return { ...nothing, ...durations } as unknown as Metrics;
}

const [, , file = "", counting = ""] = process.argv;
const config = loadConfig(file);
const balancer = await startBalancer({
  config,
  log: createLog(config.log),
  version: "bench",
  failed: (error) => {
    throw error;
  },
  ...(counting === "silent" ? { metrics: silent() } : {}),
});
process.once("SIGTERM", () => void balancer.stop().then(() => process.exit(0)));
sayReady([`http://${balancer.listen}`, `http://${balancer.adminListen}`]);

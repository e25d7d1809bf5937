/** Watches a balancer with a real Prometheus and the real rules, all their durations shortened by one factor. */

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ALERTS } from "../../grafana/alerts.ts";
import { alertRules, recordingRules } from "../../grafana/rules.ts";
import { shortened } from "../../grafana/time.ts";
import type { TestBalancer } from "./balancer.ts";
import { read, register } from "./client.ts";
import { type Firing, startPrometheus } from "./prometheus.ts";
import { until } from "./wait.ts";

/** Five minutes are a second, which is four scrapes; six hours are 72 seconds. */
const FACTOR = 300;
const INTERVAL = "250ms";
/** ms; the windows of LbErrorBudgetBurnsSlowly are the longest to clear. */
const PATIENCE = 150_000;

type Labels = Readonly<Record<string, string>>;

export interface Alarms {
  /** Waits until it does, with these labels; gives its summary. */
  fires(name: string, labels?: Labels): Promise<string>;
  clears(name: string, labels?: Labels): Promise<void>;
  /** Waits until it is quiet, sees it fire once `cause` is there, and clear once that is mended. */
  caused(name: string, labels: Labels, cause: Work, mend: Work): Promise<void>;
}

type Work = () => unknown;

export async function watch(t: TestContext, balancer: TestBalancer): Promise<Alarms> {
  const time = shortened(FACTOR);
  const rules = [recordingRules(time), alertRules(time)];
  const prometheus = await startPrometheus(t, balancer, { interval: INTERVAL, rules });

  const find = async (name: string, labels: Labels): Promise<Firing | undefined> => {
    await pause(100); // Prometheus and what it watches share the machine
    const wanted = Object.entries({ alertname: name, ...labels });
    const fitting = ({ labels: has }: Firing) => wanted.every(([label, value]) => has[label] === value);
    return (await prometheus.firing()).find(fitting);
  };
  const fires: Alarms["fires"] = async (name, labels = {}) => {
    assert.ok(
      ALERTS.some((alert) => alert.name === name),
      name,
    );
    const what = `${name} firing with ${JSON.stringify(labels)}`;
    const { annotations } = await until(() => find(name, labels), { timeout: PATIENCE, what });
    return annotations.summary ?? "";
  };
  const clears: Alarms["clears"] = async (name, labels = {}) => {
    await until(async () => !(await find(name, labels)), { timeout: PATIENCE, what: `${name} cleared` });
  };
  return {
    fires,
    clears,
    async caused(name, labels, cause, mend) {
      await clears(name, labels);
      await cause();
      const summary = await fires(name, labels);
      if (labels.node !== undefined) assert.ok(summary.startsWith(labels.node), summary);
      await mend();
      await clears(name, labels);
    },
  };
}

/** A read and a write every now and then until the test ends, whatever becomes of them. */
export function keepAsking(t: TestContext, balancer: { readonly url: string }): void {
  const stopping = new AbortController();
  t.after(() => stopping.abort());
  const asking = async (): Promise<void> => {
    for (let n = 0; !stopping.signal.aborted; n++) {
      void read(balancer).catch(() => {});
      void register(balancer, `user${n % 50}`).catch(() => {});
      await pause(40, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  void asking();
}

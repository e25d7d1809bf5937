/** promtool on the committed rules: are they valid, and does each alert fire and not fire as it should? */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { ALERTS } from "../../grafana/alerts.ts";
import { runbookOf } from "../../grafana/rules.ts";
import { withoutPrometheus } from "../support/prometheus.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { ALERT_CASES, type Series } from "./alert-cases.ts";

const RULES = globSync("../../grafana/rules/*.yaml", { cwd: import.meta.dirname }).map((file) =>
  join(import.meta.dirname, file),
);
const INSTANCE = "lb:1936";
const skip = withoutPrometheus();

function promtool(...args: string[]): void {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8" });
  assert.equal(status, 0, `${stdout}${stderr}`);
}

test("promtool check rules: nothing to say", { skip }, () => {
  assert.equal(RULES.length, 2);
  promtool("check", "rules", "--lint=all", "--lint-fatal", ...RULES);
});

test("promtool check config: the template for Prometheus is valid", { skip }, () => {
  promtool("check", "config", "--syntax-only", join(import.meta.dirname, "../../grafana/prometheus.yml"));
});

test("every alert has a case, and every case an alert", () => {
  assert.deepEqual(Object.keys(ALERT_CASES).toSorted(), ALERTS.map(({ name }) => name).toSorted());
});

for (const { name, severity } of ALERTS) {
  const { fires, quiet, every = 1 } = ALERT_CASES[name] ?? assert.fail(name);

  test(`${name} fires, and says: ${fires.summary}`, { skip }, (t) => {
    const exp_alerts = [
      {
        exp_labels: { instance: INSTANCE, job: "lbctl", severity, ...fires.labels },
        exp_annotations: { summary: fires.summary, runbook: runbookOf(name) },
      },
    ];
    testRules(t, every, fires.series, [{ eval_time: `${fires.at}m`, alertname: name, exp_alerts }]);
  });

  for (const [why, { series, at }] of Object.entries(quiet)) {
    test(`${name} is quiet: ${why}`, { skip }, (t) => {
      testRules(t, every, series, [{ eval_time: `${at}m`, alertname: name, exp_alerts: [] }]);
    });
  }
}

test("LbScrapeMissing fires when no balancer is scraped at all", { skip }, (t) => {
  const alertname = "LbScrapeMissing";
  const summary = "Prometheus has no metrics of any balancer: it is down, or not scraped";
  const exp_alerts = [
    {
      exp_labels: { job: "lbctl", severity: "critical" },
      exp_annotations: { summary, runbook: runbookOf(alertname) },
    },
  ];
  testRules(t, 1, { "up job=node": "1x10" }, [{ eval_time: "3m", alertname, exp_alerts }]);
});

function testRules(t: TestContext, every: number, series: Series, alert_rule_test: readonly unknown[]): void {
  const input_series = Object.entries(series).map(([key, values]) => ({ series: seriesName(key), values }));
  const file = join(tempFolder(t), "test.yaml");
  const tests = [{ interval: `${every}m`, input_series, alert_rule_test }];
  const order = { group_eval_order: ["lbctl-recordings", "lbctl-alerts"] };
  writeFileSync(file, stringify({ rule_files: RULES, evaluation_interval: `${every}m`, ...order, tests }));
  promtool("test", "rules", file);
}

/** `metric label=value …` as PromQL writes it. */
function seriesName(key: string): string {
  const [metric, ...labels] = key.split(" ");
  const pairs = labels.map((label) => label.split("=", 2) as [string, string]);
  const all = Object.entries({ instance: INSTANCE, job: "lbctl", ...Object.fromEntries(pairs) });
  return `${metric}{${all.map(([name, value]) => `${name}="${value}"`).join(",")}}`;
}

import { stringify } from "yaml";
import { ALERTS, type Alert } from "./alerts.ts";
import { RECORDINGS } from "./recordings.ts";
import { REAL_TIME, type Time } from "./time.ts";

/** The tables as rule files for Prometheus. */

export function recordingRules(time: Time = REAL_TIME): string {
  const rules = RECORDINGS.map(({ name, expr }) => ({ record: name, expr: expr(time) }));
  return stringify({ groups: [{ name: "lbctl-recordings", rules }] }, { lineWidth: 0 });
}

export function alertRules(time: Time = REAL_TIME): string {
  const rules = ALERTS.map((alert) => alertRule(alert, time));
  return stringify({ groups: [{ name: "lbctl-alerts", rules }] }, { lineWidth: 0 });
}

function alertRule({ name, severity, for: seconds, expr, summary }: Alert, time: Time) {
  return {
    alert: name,
    expr: expr(time),
    for: seconds === 0 ? "0s" : time.duration(seconds),
    labels: { severity },
    annotations: { summary, runbook: runbookOf(name) },
  };
}

/** Path in the repository and in the package. */
export function runbookOf(name: string): string {
  return `docs/runbooks/${name}.md`;
}

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

/** docs/alerts.md: the alerts as a table for people. */
export function alertsPage(): string {
  const rows = ALERTS.map(({ name, severity, for: seconds, expr }) => {
    const query = expr(REAL_TIME).replaceAll("|", "\\|");
    const held = seconds === 0 ? "at once" : REAL_TIME.duration(seconds);
    return `| [${name}](runbooks/${name}.md) | ${severity} | ${held} | \`${query}\` |`;
  });
  return `# Alerts
<!-- Made by \`npm run generate\` from grafana/alerts.ts; don't edit. -->

What Prometheus tells someone about, from grafana/rules/alerts.yaml. \`critical\` wakes someone: clients are failed, or
will be, or nodes disagree. \`warning\` is for today, at work: one node that is missing is a warning, since the others
serve. Each links to its page: what it means, how to look, how to mend. [dashboards.md](dashboards.md) tells how to
load the rules.

| alert | severity | after | fires while |
|---|---|---|---|
${rows.join("\n")}
`;
}

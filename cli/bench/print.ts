/** A run's report as lines for people. */
import { count, plural } from "../tools/format.ts";
import type { AuditReport } from "./audit.ts";
import type { Finding } from "./presence.ts";
import type { BenchProgress } from "./progress.ts";
import type { BenchReport } from "./report.ts";
import type { SpreadReport } from "./spread.ts";
import type { KindReport } from "./tally.ts";

const HEAD = ["", "asked", "reached", "answered", "errors", "p50", "p90", "p99", "p99.9", "max"];

export function reportLines(report: BenchReport): string[] {
  return [
    ...table([HEAD, kindRow("reads", report.reads), kindRow("writes", report.writes)]),
    "",
    ...errorLines(report),
    ...loadLines(report),
    "",
    ...(report.audit === null
      ? ["audit      none: this target's admin listener is not known"]
      : auditLines(report.audit)),
    ...(report.spread === null ? [] : [`spread     ${spreadLine(report.spread)}`]),
    "",
    ...(report.passed ? ["passed"] : ["FAILED", ...report.failures.map((failure) => `  ${failure}`)]),
  ];
}

/** One line, short enough for most terminals. */
export function progressLine(progress: BenchProgress): string {
  const { phase, elapsedMs, durationMs, reads, writes, inFlight } = progress;
  if (phase === "warm-up") return "warming up: registering users";
  if (phase === "audit") return "audit: waiting for every node to have everything, then asking each";
  const kind = (name: string, { ok, errors, p99 }: BenchProgress["reads"]) =>
    `${name} ${count(ok)}${errors > 0 ? `, ${plural(errors, "error")}` : ""}, p99 ${millis(p99)}`;
  const time = `${Math.round(elapsedMs / 1000)} of ${Math.round(durationMs / 1000)} s`;
  return `${time} | ${kind("reads", reads)} | ${kind("writes", writes)} | ${inFlight} in flight`;
}

function kindRow(name: string, kind: KindReport): string[] {
  const { p50, p90, p99, p999, max } = kind.latencyMs;
  const latencies = [p50, p90, p99, p999, max].map((ms) => (kind.latencyMs.count === 0 ? "-" : millis(ms)));
  const reached = `${kind.achieved.toFixed(1)}/s`;
  return [name, `${kind.requested}/s`, reached, count(kind.ok), count(kind.errors), ...latencies];
}

function errorLines({ reads, writes, warmUp }: BenchReport): string[] {
  const kinds = (name: string, errorKinds: Readonly<Record<string, number>>) =>
    Object.entries(errorKinds).map(([kind, times]) => `errors     ${name}: ${count(times)} × ${kind}`);
  return [
    ...kinds("warm-up", warmUp.errorKinds),
    ...kinds("reads", reads.errorKinds),
    ...kinds("writes", writes.errorKinds),
  ];
}

function loadLines(report: BenchReport): string[] {
  const { outcomes, generator, rivalPairs, lostToRivals, retries, racedReads } = report;
  const { sendLagMs: lag, keptUp, cpuMicrosPerRequest } = generator;
  const extra = [
    `${count(lostToRivals)} lost to a rival (${count(rivalPairs)} pairs)`,
    ...(retries > 0 ? [plural(retries, "repeat")] : []),
    ...(racedReads > 0 ? [`${count(racedReads)} logins during a change of their password`] : []),
  ];
  return [
    `writes     ${count(outcomes.acknowledged)} acknowledged, ${count(outcomes.refused)} refused, ${count(outcomes.unknown)} unknown; ${extra.join(", ")}`,
    `generator  sent late by p50 ${millis(lag.p50)}, p99 ${millis(lag.p99)} (counted in the latencies); ${Math.round(cpuMicrosPerRequest)} µs of CPU a request`,
    ...(keptUp
      ? []
      : ["           it could not keep up: the latencies say more of this machine than of the balancer"]),
  ];
}

function auditLines(audit: AuditReport): string[] {
  return [
    `audit      ${verdict(audit)}`,
    ...audit.problems.map((problem) => `           ${problem}`),
    ...findingLines("missing", audit.missing, audit.missingFirst),
    ...findingLines("unexpected", audit.unexpected, audit.unexpectedFirst),
  ];
}

function verdict(audit: AuditReport): string {
  const { method, ok, presence, nodes, expectedUsers } = audit;
  if (method === "none" || presence === null) return "nothing could be looked at";
  if (!ok)
    return `by ${method}: not as it should be (${count(audit.missing)} missing, ${count(audit.unexpected)} unexpected)`;
  const sampled = presence.users < presence.of ? `a sample of ${count(presence.users)} of` : "all";
  const logins = `${sampled} ${count(presence.of)} users of this run log in with what was acknowledged last`;
  const where = `on each of ${plural(nodes.length, "node")}`;
  if (method === "present")
    return `by presence (the app has no digest; what is there twice would not show): ${logins} ${where}`;
  return `by digest: every acknowledged write is ${where} exactly once (${digests(nodes, expectedUsers)}); ${logins}`;
}

function digests(nodes: AuditReport["nodes"], expected: AuditReport["expectedUsers"]): string {
  if (expected === null) return "digests equal; users not counted";
  const { before, min, max } = expected;
  const held = nodes[0]?.users ?? min;
  const unknown = max > min ? `, up to ${count(max - min)} of unknown outcome` : "";
  return `digests equal; ${count(held)} users = ${count(before)} before + ${count(min - before)} registered${unknown}`;
}

function findingLines(name: string, total: number, first: readonly Finding[]): string[] {
  const more = total > first.length && first.length > 0 ? [`           … of ${count(total)}`] : [];
  return [...first.map(({ user, node, what }) => `  ${name}  ${user} on ${node}: ${what}`), ...more];
}

function spreadLine({ unknown, nodes, difference, even }: SpreadReport): string {
  if (unknown !== null) return unknown;
  const counts = nodes.map(
    ({ name, reads, throughout }) =>
      `${name} ${count(reads)}${throughout ? "" : " (not in-sync throughout)"}`,
  );
  const said = even
    ? "reads even to ±1 over the nodes in-sync throughout"
    : `reads uneven, by up to ${count(difference ?? 0)}`;
  return `${said}: ${counts.join(", ")}`;
}

function millis(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${count(Math.round(ms))} ms`;
}

/** First column to the left, the others to the right. */
function table(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(9) : cell.padStart(width(column) + 2))).join(""),
  );
}

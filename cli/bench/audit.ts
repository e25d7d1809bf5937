import type { Status, VerifiedNode, VerifyReport } from "../../proxy/api.ts";
import { messageOf } from "../errors.ts";
import { waitForHead } from "./catch-up.ts";
import type { BenchAdmin, BenchSettings } from "./options.ts";
import { type Finding, Presence, type PresenceReport } from "./presence.ts";
import type { BenchUser } from "./users.ts";

/** What was there before the first write of the run. */
export interface Baseline {
  readonly status: Status;
  readonly verify: VerifyReport;
}

export interface AuditNode {
  readonly name: string;
  readonly cursor: number;
  readonly head: number;
  readonly digest: string | null;
  readonly users: number | null;
}

/** How many users each node must have: `min` if none of the writes of unknown outcome took effect, else up to `max`. */
export interface ExpectedUsers {
  readonly before: number;
  readonly min: number;
  readonly max: number;
}

export interface AuditReport {
  /**
   * `digest`: every node holds the same, so many users, each once. `present`: the last acknowledged password of each
   * user looked for works on every node. `none`: nothing could be looked at.
   */
  readonly method: "digest" | "present" | "none";
  readonly ok: boolean;
  /** Everything that is wrong, a sentence each. */
  readonly problems: readonly string[];
  readonly nodes: readonly AuditNode[];
  /** Null: some node doesn't tell. */
  readonly expectedUsers: ExpectedUsers | null;
  readonly presence: PresenceReport | null;
  readonly missing: number;
  readonly unexpected: number;
  /** The first of each. */
  readonly missingFirst: readonly Finding[];
  readonly unexpectedFirst: readonly Finding[];
}

const LISTED = 20;

export async function baselineOf(admin: BenchAdmin): Promise<Baseline> {
  return { verify: await admin.verify(), status: await admin.status() };
}

/** After the load: is every acknowledged write on every node, once, and nothing else? */
export async function audit(options: {
  readonly admin: BenchAdmin;
  readonly baseline: Baseline;
  readonly users: readonly BenchUser[];
  readonly settings: BenchSettings;
  readonly signal: AbortSignal;
}): Promise<AuditReport> {
  const { admin, baseline, users, settings, signal } = options;
  const { status, behind } = await waitForHead(admin, settings.auditTimeoutMs, signal);
  if (status === null) return nothingLookedAt(behind);
  const verify = await admin.verify().catch(messageOf);
  const down = status.nodes.filter(({ state }) => state === "down");
  const addresses = status.nodes.filter((node) => !down.includes(node));
  const { auditUsers: limit, seed } = settings;
  const presence = await new Presence(addresses).check(users, { limit, seed, signal });
  const digests = digestAudit(baseline.verify, verify, status, users);
  const out = [...behind, ...down.map(({ name }) => `${name} is down: what it holds is not known`)];
  return conclude({ status, out, digests, presence });
}

interface DigestAudit {
  readonly complete: boolean;
  readonly nodes: readonly AuditNode[];
  readonly expected: ExpectedUsers | null;
  readonly problems: readonly string[];
  /** Users too few, and too many, on the node that is worst off. */
  readonly tooFew: number;
  readonly tooMany: number;
}

function digestAudit(
  before: VerifyReport,
  after: VerifyReport | string,
  status: Status,
  users: readonly BenchUser[],
): DigestAudit {
  const verified = typeof after === "string" ? [] : after.nodes;
  const complete = verified.length === status.nodes.length && verified.every(({ digest }) => digest !== null);
  const expected = complete ? expectedUsers(before, users) : null;
  const counts = verified.flatMap(({ name, users: count }) => (count === undefined ? [] : [{ name, count }]));
  return {
    complete,
    nodes: status.nodes.map((node) => auditNode(node.name, node.cursor, status.head, verified)),
    expected,
    problems: [...digestProblems(before, after), ...counts.flatMap((node) => countProblem(node, expected))],
    tooFew: expected === null ? 0 : Math.max(0, ...counts.map(({ count }) => expected.min - count)),
    tooMany: expected === null ? 0 : Math.max(0, ...counts.map(({ count }) => count - expected.max)),
  };
}

function digestProblems(before: VerifyReport, after: VerifyReport | string): string[] {
  if (typeof after === "string") return [`the digests could not be had: ${after}`];
  const problems = after.equal === false ? [differing(after.nodes)] : [];
  // An app without digests is no problem, one that has them on some nodes only, or no longer, is.
  const offered = [...before.nodes, ...after.nodes].some(({ digest }) => digest !== null);
  const without = after.nodes.filter(({ digest }) => offered && digest === null);
  return [
    ...problems,
    ...without.map(({ name, error }) => `${name}: no digest: ${error ?? "no reason given"}`),
  ];
}

function auditNode(name: string, cursor: number, head: number, verified: readonly VerifiedNode[]): AuditNode {
  const node = verified.find((other) => other.name === name);
  return { name, cursor, head, digest: node?.digest ?? null, users: node?.users ?? null };
}

function differing(nodes: readonly VerifiedNode[]): string {
  const digests = nodes.map(
    ({ name, digest }) => `${name} ${digest === null ? "none" : digest.slice(0, 12)}`,
  );
  return `expected the same digest on every node, got ${digests.join(", ")}`;
}

/** Null when a node didn't say how many users it had before the run: then there is nothing to count from. */
function expectedUsers(before: VerifyReport, users: readonly BenchUser[]): ExpectedUsers | null {
  const counts = new Set(before.nodes.map(({ users: count }) => count));
  const [start] = counts;
  if (start === undefined || counts.size !== 1) return null;
  const acknowledged = users.filter(({ registration }) => registration === "acknowledged").length;
  const unknown = users.filter(({ registration }) => registration === "unknown").length;
  return { before: start, min: start + acknowledged, max: start + acknowledged + unknown };
}

function countProblem(node: { name: string; count: number }, expected: ExpectedUsers | null): string[] {
  const { name, count } = node;
  if (expected === null || (count >= expected.min && count <= expected.max)) return [];
  const range = expected.min === expected.max ? `${expected.min}` : `${expected.min} to ${expected.max}`;
  const cause =
    count > expected.max ? " (a registration taken twice, or another client at the same time)" : "";
  return [`${name}: expected ${range} users, got ${count}${cause}`];
}

function conclude(found: {
  status: Status;
  /** Nodes that don't have everything, or can't be asked. */
  out: readonly string[];
  digests: DigestAudit;
  presence: PresenceReport;
}): AuditReport {
  const { status, out, digests, presence } = found;
  const { missing, unexpected, unanswered } = presence;
  const problems = [...out, ...digests.problems];
  if (status.setAside > 0)
    problems.push(`${status.setAside} writes are set aside (lbctl writes list --pending)`);
  if (missing.length > 0) problems.push(`${missing.length} times a user is not on a node as acknowledged`);
  if (unexpected.length > 0) problems.push(`${unexpected.length} times a refused user is on a node`);
  const [first] = unanswered;
  if (first !== undefined) {
    problems.push(
      `${unanswered.length} logins without a clear answer, the first on ${first.node}: ${first.what}`,
    );
  }
  return {
    method: digests.complete ? "digest" : "present",
    ok: problems.length === 0,
    problems,
    nodes: digests.nodes,
    expectedUsers: digests.expected,
    presence,
    missing: Math.max(missing.length, digests.tooFew),
    unexpected: Math.max(unexpected.length, digests.tooMany),
    missingFirst: missing.slice(0, LISTED),
    unexpectedFirst: unexpected.slice(0, LISTED),
  };
}

function nothingLookedAt(problems: readonly string[]): AuditReport {
  return {
    method: "none",
    ok: false,
    problems,
    nodes: [],
    expectedUsers: null,
    presence: null,
    missing: 0,
    unexpected: 0,
    missingFirst: [],
    unexpectedFirst: [],
  };
}

import type { NodeState, RouteKind } from "../api.ts";
import { NODE_STATES } from "../node-state.ts";
import type { Count, Family, Histogram, Labels } from "./metrics-cells.ts";
import {
  ANSWER_CLASSES,
  BOOTSTRAPS,
  type BootstrapKind,
  CLASSES,
  type CountedKey,
  KEY_HITS,
  LEG_OUTCOMES,
  type LegOutcome,
  LIMITS,
  type Limit,
  METHODS,
  POLICIES,
  type Policy,
  SPAN_OUTCOMES,
  SUCCESS,
  SYNCED_FILES,
  WRITE_OUTCOMES,
  type WriteOutcome,
} from "./metrics-table.ts";

/** The families that are counted, by their key in the table. */
export type Families = Record<CountedKey, Family>;

/** What is counted of a route depends on where it leads. */
export interface RouteName {
  readonly name: string;
  readonly to: RouteKind;
}

/** One route's numbers. */
export class RouteCells {
  readonly to: RouteKind;
  readonly requests: readonly Count[];
  readonly seconds: readonly Histogram[];
  /** Only of a route to all nodes: its policy may change with a reload. */
  readonly writes: Record<Policy, Record<WriteOutcome, Count>> | null;
  /** Only of a route to one node. */
  readonly retries: Count | null;

  constructor(families: Families, { name: route, to }: RouteName) {
    this.to = to;
    this.requests = CLASSES.map((name) => families.requests.count({ route, class: name }));
    this.seconds = CLASSES.map((name) => families.requestSeconds.histogram({ route, class: name }));
    this.writes =
      to === "one"
        ? null
        : record(POLICIES, (policy) => counts(families.writes, "outcome", WRITE_OUTCOMES, { route, policy }));
    this.retries = to === "one" ? families.readRetries.count({ route }) : null;
  }

  done(status: number, seconds: number, seq?: number): void {
    const index = classIndex(status);
    (this.requests[index] as Count).value++;
    (this.seconds[index] as Histogram).observe(seconds, seq);
  }
}

/** One node's numbers. */
export class NodeCells {
  readonly reads: Record<LegOutcome, Count>;
  readonly readSeconds: Histogram;
  readonly writes: Record<LegOutcome, Count>;
  readonly writeSeconds: Histogram;
  readonly readRetries: Count;
  readonly writeRetries: Count;
  readonly acks: readonly Count[];
  readonly lateAcks: Record<Policy, Count>;
  readonly states: Record<NodeState, Count>;
  readonly checksOk: Count;
  readonly checksFailed: Count;
  readonly checkSeconds: Histogram;
  readonly bootstraps: Record<BootstrapKind, Record<"ok" | "failed", Count>>;
  readonly divergent: Record<Policy, Count>;
  readonly ambiguous: Record<Policy, Count>;
  readonly quarantines: Count;

  constructor(families: Families, node: string) {
    this.reads = counts(families.nodeReads, "outcome", LEG_OUTCOMES, { node });
    this.readSeconds = families.nodeReadSeconds.histogram({ node });
    this.writes = counts(families.nodeWrites, "outcome", LEG_OUTCOMES, { node });
    this.writeSeconds = families.nodeWriteSeconds.histogram({ node });
    this.readRetries = families.nodeReadRetries.count({ node });
    this.writeRetries = families.nodeWriteRetries.count({ node });
    this.acks = ANSWER_CLASSES.map((name) => families.nodeAcks.count({ node, class: name }));
    this.lateAcks = counts(families.nodeLateAcks, "policy", POLICIES, { node });
    this.states = counts(families.nodeStateChanges, "state", NODE_STATES, { node });
    this.checksOk = families.healthChecks.count({ node, outcome: "ok" });
    this.checksFailed = families.healthChecks.count({ node, outcome: "failed" });
    this.checkSeconds = families.healthSeconds.histogram({ node });
    this.bootstraps = record(BOOTSTRAPS, (kind) =>
      counts(families.bootstraps, "outcome", SUCCESS, { node, kind }),
    );
    this.divergent = counts(families.divergent, "policy", POLICIES, { node });
    this.ambiguous = counts(families.ambiguous, "policy", POLICIES, { node });
    this.quarantines = families.quarantines.count({ node });
  }
}

/** What belongs to no route and no node. */
export class ProcessCells {
  readonly received: ReadonlyMap<string, Count>;
  readonly refusals: Record<Limit, Count>;
  readonly writesLate: Record<Policy, Count>;
  readonly idempotency: Record<"repeat" | "mismatch", Count>;
  readonly appends: Count;
  readonly appendedBytes: Count;
  readonly appendSeconds: Histogram;
  readonly commitSeconds: Histogram;
  readonly fsyncSeconds: Record<(typeof SYNCED_FILES)[number], Histogram>;
  readonly batch: Histogram;
  readonly purged: Count;
  readonly setAside: Count;
  readonly reloads: Record<"ok" | "failed", Count>;
  readonly spans: Record<"exported" | "dropped", Count>;
  readonly logDropped: Count;

  constructor(families: Families) {
    this.received = new Map(METHODS.map((method) => [method, families.received.count({ method })]));
    this.refusals = counts(families.refusals, "limit", LIMITS);
    this.writesLate = counts(families.writesLate, "policy", POLICIES);
    this.idempotency = counts(families.idempotency, "outcome", KEY_HITS);
    this.appends = families.appends.count();
    this.appendedBytes = families.appendedBytes.count();
    this.appendSeconds = families.appendSeconds.histogram();
    this.commitSeconds = families.commitSeconds.histogram();
    this.fsyncSeconds = record(SYNCED_FILES, (file) => families.fsyncSeconds.histogram({ file }));
    this.batch = families.batch.histogram();
    this.purged = families.purged.count();
    this.setAside = families.setAside.count();
    this.reloads = counts(families.reloads, "outcome", SUCCESS);
    this.spans = counts(families.spans, "outcome", SPAN_OUTCOMES);
    this.logDropped = families.logDropped.count();
  }
}

/** 0 to 3: 2xx to 5xx; 4: aborted. */
function classIndex(status: number): number {
  if (status < 200) return 4;
  return status >= 500 ? 3 : ((status / 100) | 0) - 2;
}

export function classOf<T>(cells: readonly T[], status: number): T | undefined {
  return cells[classIndex(status)];
}

function counts<V extends string>(
  family: Family,
  label: string,
  values: readonly V[],
  fixed: Labels = {},
): Record<V, Count> {
  return record(values, (value) => family.count({ ...fixed, [label]: value }));
}

function record<K extends string, V>(keys: readonly K[], make: (key: K) => V): Record<K, V> {
  return Object.fromEntries(keys.map((key) => [key, make(key)])) as Record<K, V>;
}

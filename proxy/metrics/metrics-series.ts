import type { NodeState } from "../api.ts";
import { NODE_STATES } from "../node-state.ts";
import type { Count, Family, Histogram, Labels } from "./metrics-cells.ts";
import {
  ANSWER_CLASSES,
  BOOTSTRAPS,
  type BootstrapKind,
  CLASSES,
  KEY_HITS,
  type KeyOf,
  LEG_OUTCOMES,
  type LegOutcome,
  METHODS,
  SPAN_OUTCOMES,
  SUCCESS,
  WRITE_OUTCOMES,
  type WriteOutcome,
} from "./metrics-table.ts";

/** The families that are counted, by their key in the table. */
export type Families = Record<KeyOf<"counter" | "histogram">, Family>;

/** One route's numbers. */
export class RouteCells {
  readonly requests: readonly Count[];
  readonly seconds: readonly Histogram[];
  readonly writes: Record<WriteOutcome, Count>;
  readonly retries: Count;

  constructor(families: Families, route: string) {
    this.requests = CLASSES.map((name) => families.requests.count({ route, class: name }));
    this.seconds = CLASSES.map((name) => families.requestSeconds.histogram({ route, class: name }));
    this.writes = counts(families.writes, "outcome", WRITE_OUTCOMES, { route });
    this.retries = families.readRetries.count({ route });
  }

  done(status: number, seconds: number): void {
    const index = classIndex(status);
    (this.requests[index] as Count).value++;
    (this.seconds[index] as Histogram).observe(seconds);
  }
}

/** One node's numbers. */
export class NodeCells {
  readonly reads: Record<LegOutcome, Count>;
  readonly readSeconds: Histogram;
  readonly writes: Record<LegOutcome, Count>;
  readonly writeSeconds: Histogram;
  readonly retries: Count;
  readonly acks: readonly Count[];
  readonly states: Record<NodeState, Count>;
  readonly checksOk: Count;
  readonly checksFailed: Count;
  readonly bootstraps: Record<BootstrapKind, Record<"ok" | "failed", Count>>;
  readonly divergent: Count;
  readonly ambiguous: Count;
  readonly quarantines: Count;

  constructor(families: Families, node: string) {
    this.reads = counts(families.nodeReads, "outcome", LEG_OUTCOMES, { node });
    this.readSeconds = families.nodeReadSeconds.histogram({ node });
    this.writes = counts(families.nodeWrites, "outcome", LEG_OUTCOMES, { node });
    this.writeSeconds = families.nodeWriteSeconds.histogram({ node });
    this.retries = families.nodeWriteRetries.count({ node });
    this.acks = ANSWER_CLASSES.map((name) => families.nodeAcks.count({ node, class: name }));
    this.states = counts(families.nodeStateChanges, "state", NODE_STATES, { node });
    this.checksOk = families.healthChecks.count({ node, outcome: "ok" });
    this.checksFailed = families.healthChecks.count({ node, outcome: "failed" });
    this.bootstraps = record(BOOTSTRAPS, (kind) =>
      counts(families.bootstraps, "outcome", SUCCESS, { node, kind }),
    );
    this.divergent = families.divergent.count({ node });
    this.ambiguous = families.ambiguous.count({ node });
    this.quarantines = families.quarantines.count({ node });
  }
}

/** What belongs to no route and no node. */
export class ProcessCells {
  readonly received: ReadonlyMap<string, Count>;
  readonly idempotency: Record<"repeat" | "mismatch", Count>;
  readonly appends: Count;
  readonly appendedBytes: Count;
  readonly appendSeconds: Histogram;
  readonly fsyncSeconds: Histogram;
  readonly batch: Histogram;
  readonly purged: Count;
  readonly setAside: Count;
  readonly reloads: Record<"ok" | "failed", Count>;
  readonly spans: Record<"exported" | "dropped", Count>;
  readonly logDropped: Count;

  constructor(families: Families) {
    this.received = new Map(METHODS.map((method) => [method, families.received.count({ method })]));
    this.idempotency = counts(families.idempotency, "outcome", KEY_HITS);
    this.appends = families.appends.count();
    this.appendedBytes = families.appendedBytes.count();
    this.appendSeconds = families.appendSeconds.histogram();
    this.fsyncSeconds = families.fsyncSeconds.histogram();
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

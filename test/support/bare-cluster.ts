/** The real balancer over scripted nodes, and how tests look at what arrived. */

import type { TestContext } from "node:test";
import { startBalancer, type TestBalancer } from "./balancer.ts";
import { scrape } from "./metrics.ts";
import { type Arrival, type Behaviour, type Reaction, startNode, type TestNode } from "./nodes.ts";
import { until } from "./wait.ts";

/** A node with the name that the balancer knows it by. */
export interface NamedNode {
  readonly name: string;
  readonly node: TestNode;
}

export interface BareCluster {
  /** app1, app2 … */
  readonly nodes: readonly TestNode[];
  readonly balancer: TestBalancer;
  /** What the config says of them. */
  readonly listed: readonly { readonly name: string; readonly url: string }[];
}

/** Deadlines short enough for tests, long enough for a machine that is busy with others. */
export const QUICK = {
  sendTimeout: "400ms",
  ackTimeout: "3s",
  attemptTimeout: "1500ms",
  backoff: { min: "10ms", max: "50ms" },
};

/** The default ones, with reads that wait: a busy machine must not make them go elsewhere. */
const ROUTES = [
  { match: { methods: ["POST"], paths: ["/register", "/changePassword"] }, to: "all", orderBy: "username" },
  { match: { methods: ["GET", "HEAD"] }, to: "one", firstByteTimeout: "20s" },
];

/** Starts `count` nodes and the balancer over them; resolves when all are in-sync. */
export async function startCluster(
  t: TestContext,
  count: number,
  config: Readonly<Record<string, unknown>> = {},
  behaviour: Behaviour = {},
): Promise<BareCluster> {
  const nodes = await Promise.all(Array.from({ length: count }, () => startNode(t, behaviour)));
  const listed = nodes.map(({ url }, index) => ({ name: `app${index + 1}`, url }));
  const { writes, ...rest } = config;
  const balancer = await startBalancer(t, {
    nodes: listed,
    config: { writes: { ...QUICK, ...(writes ?? {}) }, routes: ROUTES, ...rest },
  });
  return { nodes, balancer, listed };
}

/** Writes that arrived at a node, in order; each attempt counts. */
export function writesAt(node: TestNode): Arrival[] {
  return node.log.filter(({ method }) => method === "POST");
}

export function readsAt(node: TestNode): number {
  return node.log.filter(({ method }) => method === "GET").length;
}

export function header(arrival: Arrival | undefined, name: string): string {
  return String(arrival?.headers[name] ?? "");
}

export function seqOf(arrival: Arrival | undefined): number {
  return Number(header(arrival, "lb-seq"));
}

/** The seqs that a node got, in order. */
export function seqsAt(node: TestNode): number[] {
  return writesAt(node).map(seqOf);
}

/** The user that a write is about; "" for one without. */
export function userOf({ body }: Arrival): string {
  return new URLSearchParams(body).get("username") ?? "";
}

/** Waits until so many writes have arrived at a node. */
export async function arrived(node: TestNode, count: number): Promise<void> {
  await until(() => writesAt(node).length >= count, { what: `${count} writes at a node` });
}

/** Holds back answers until it is opened. */
export interface Gate {
  open(): void;
  /** A behaviour that waits for the gate, then reacts. */
  answers(reaction?: Reaction): (arrival: Arrival) => Promise<Reaction>;
}

export function gate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    open: resolve,
    answers:
      (reaction = {}) =>
      async () => {
        await promise;
        return reaction;
      },
  };
}

/** One metric's value, summed over the lines that contain all of `labels`. */
export async function metric(balancer: TestBalancer, name: string, ...labels: string[]): Promise<number> {
  const lines = (await metricsText(balancer))
    .split("\n")
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const fitting = lines.filter((line) => labels.every((label) => line.includes(label)));
  return fitting.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

export async function metricsText(balancer: TestBalancer): Promise<string> {
  return (await scrape(balancer)).body;
}

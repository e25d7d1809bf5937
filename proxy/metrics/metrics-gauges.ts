import type { NodeStatus, RouteStatus, Status } from "../api.ts";
import { NODE_STATES } from "../node-state.ts";
import type { Labels, Sample } from "./metrics-cells.ts";
import type { KeyOf } from "./metrics-table.ts";

/** What gauges are read from when they are scraped. */
export interface GaugeSource {
  readonly status: Status;
  readonly ready: boolean;
}

type Reader = (source: GaugeSource) => Sample[];

const single =
  (value: (source: GaugeSource) => number): Reader =>
  (source) => [sample(value(source), {})];

const perNode =
  (value: (node: NodeStatus) => number): Reader =>
  ({ status }) =>
    status.nodes.map((node) => sample(value(node), { node: node.name }));

const perRoute =
  (value: (route: RouteStatus) => number): Reader =>
  ({ status }) =>
    status.routes.map((route) => sample(value(route), { route: route.name }));

/** One reader for each gauge of the table; the compiler says when one is missing. */
export const GAUGES: Record<KeyOf<"gauge">, Reader> = {
  requestsInFlight: perRoute((route) => route.inFlight),
  connections: single(({ status }) => status.connections),
  writesOpen: single(({ status }) => status.writesOpen),
  routeInfo: ({ status }) =>
    status.routes.map(({ name, to, policy }) => sample(1, { route: name, to, policy })),
  nodeState: ({ status }) => status.nodes.flatMap(stateSamples),
  nodeSince: perNode((node) => node.since / 1000),
  nodeMember: perNode((node) => Number(node.member)),
  nodeInFlight: ({ status }) =>
    status.nodes.flatMap((node) => [
      sample(node.inFlightReads, { node: node.name, kind: "read" }),
      sample(node.inFlightWrites, { node: node.name, kind: "write" }),
    ]),
  nodeConnections: perNode((node) => node.connections),
  nodeCursor: perNode((node) => node.cursor),
  nodeLag: perNode((node) => node.lag),
  nodeOldest: perNode((node) => node.oldestUndelivered),
  ready: single(({ ready }) => Number(ready)),
  nodes: single(({ status }) => status.nodes.length),
  members: single(({ status }) => status.members),
  inSync: single(({ status }) => status.inSync),
  minInSync: single(({ status }) => status.minInSync),
  head: single(({ status }) => status.head),
  first: single(({ status }) => status.first),
  journalBytes: single(({ status }) => status.journalBytes),
  journalMax: single(({ status }) => status.journalMaxBytes),
  setAsideNow: single(({ status }) => status.setAside),
  reloadOk: single(({ status }) => Number(status.reload?.ok ?? true)),
  build: ({ status: { cluster, version } }) => [
    sample(1, { cluster, version, node_version: process.version }),
  ],
};

/** All states of a node, so that a change leaves no old series behind. */
function stateSamples(node: NodeStatus): Sample[] {
  return NODE_STATES.map((state) => sample(Number(node.state === state), { node: node.name, state }));
}

function sample(value: number, sharedLabels: Labels): Sample {
  return { labels: {}, sharedLabels, value };
}

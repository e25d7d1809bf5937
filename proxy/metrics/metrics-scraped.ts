import type { NodeStatus, RouteStatus, Status } from "../api.ts";
import { NODE_STATES } from "../node-state.ts";
import type { Labels, Sample } from "./metrics-cells.ts";
import { type ReadKey, THREADS } from "./metrics-table.ts";

/** What is asked when there is a scrape. */
export interface ScrapeSource {
  readonly status: Status;
  readonly ready: boolean;
}

type Reader = (source: ScrapeSource) => Sample[];

const single =
  (value: (source: ScrapeSource) => number): Reader =>
  (source) => [sample(value(source), {})];

const perNode =
  (value: (node: NodeStatus) => number): Reader =>
  ({ status }) =>
    status.nodes.map((node) => sample(value(node), { node: node.name }));

const perRoute =
  (value: (route: RouteStatus) => number): Reader =>
  ({ status }) =>
    status.routes.map((route) => sample(value(route), { route: route.name }));

/** One reader for each metric that is not counted as things happen; the compiler says when one is missing. */
export const SCRAPED: Record<ReadKey, Reader> = {
  requestsInFlight: perRoute((route) => route.inFlight),
  connections: single(({ status }) => status.connections),
  accepted: single(({ status }) => status.connectionsAccepted),
  receivedBytes: single(({ status }) => status.bytesIn),
  sentBytes: single(({ status }) => status.bytesOut),
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
  catchUpRate: perNode((node) => node.catchUpRate),
  catchUpEta: perNode((node) => node.catchUpEta ?? Number.POSITIVE_INFINITY),
  ready: single(({ ready }) => Number(ready)),
  nodes: single(({ status }) => status.nodes.length),
  members: single(({ status }) => status.members),
  inSync: single(({ status }) => status.inSync),
  minInSync: single(({ status }) => status.minInSync),
  head: single(({ status }) => status.head),
  first: single(({ status }) => status.first),
  journalBytes: single(({ status }) => status.journalBytes),
  journalMax: single(({ status }) => status.journalMaxBytes),
  diskFree: single(({ status }) => status.journalDisk.free),
  diskSize: single(({ status }) => status.journalDisk.size),
  setAsideNow: single(({ status }) => status.setAside),
  reloadOk: single(({ status }) => Number(status.reload?.ok ?? true)),
  certificates: ({ status }) =>
    status.certificates.map(({ listener, expiresAt }) => sample(expiresAt / 1000, { listener })),
  busy: ({ status: { activeSeconds } }) => THREADS.map((thread) => sample(activeSeconds[thread], { thread })),
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

/** Which nodes come, stay and go: pure, from what is recorded and what is wanted. */

import type { Status } from "../../proxy/api.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { urlHost } from "../tools/url-host.ts";
import type { Machine, Machines } from "./machines.ts";
import type { Facts } from "./probe.ts";
import { type HostsRecord, type RecordedNode, type Releases, sameReleases } from "./record.ts";

export interface NodeGoal {
  /** Not known to the balancer yet. */
  readonly entering: readonly Machine[];
  readonly staying: readonly Machine[];
  /** Known to the balancer, and not wanted any more. */
  readonly leaving: readonly RecordedNode[];
  /** As leaving, under a name that another machine is to have: they go before that one comes. */
  readonly replaced: readonly RecordedNode[];
}

export function nodeGoal(record: HostsRecord, apps: readonly Machine[]): NodeGoal {
  const known = new Map(record.nodes.map((node) => [node.name, node]));
  const wanted = new Map(apps.map((machine) => [machine.name, machine]));
  const stays = (machine: Machine) => known.get(machine.name)?.address === machine.identity;
  return {
    entering: apps.filter((machine) => !stays(machine)),
    staying: apps.filter(stays),
    leaving: record.nodes.filter(({ name }) => !wanted.has(name)),
    replaced: record.nodes.filter(({ name, address }) => {
      const machine = wanted.get(name);
      return machine !== undefined && machine.identity !== address;
    }),
  };
}

/** Listed machines that lbctl put something on, or began to: what is on any other may be anybody's. */
export function machinesOnRecord(
  { apps }: Pick<Machines, "apps">,
  record: Pick<HostsRecord, "nodes" | "entering" | "leaving"> | null,
): readonly Machine[] {
  if (!record) return [];
  const { nodes, entering, leaving } = record;
  const ours = new Set([...nodes.map(({ address }) => address), ...entering, ...leaving]);
  return apps.filter(({ identity }) => ours.has(identity));
}

/** Of these, machines that an earlier command was stopped at and that are no nodes now, nor to be: they are cleaned. */
export function leftBehind(
  machines: Pick<Machines, "apps">,
  record: HostsRecord,
  apps: readonly Machine[],
): readonly Machine[] {
  const used = new Set([
    ...record.nodes.map(({ address }) => address),
    ...apps.map(({ identity }) => identity),
  ]);
  return machinesOnRecord(machines, record).filter(({ identity }) => !used.has(identity));
}

/** Nodes that the balancer has forgotten: a command was stopped before it could write that down. */
export function forgottenNodes(
  { nodes, leaving }: HostsRecord,
  status: Pick<Status, "nodes"> | null,
): readonly RecordedNode[] {
  if (!status || status.nodes.length === 0) return [];
  const known = new Set(status.nodes.map(({ name }) => name));
  return nodes.filter(({ name, address }) => leaving.includes(address) && !known.has(name));
}

/**
 * Machines to enter that a command was stopped at while it installed or removed them: what they hold is old, and a node
 * enters with nothing. One that the balancer still knows goes on with what it has.
 */
export function withOldData(
  { entering, leaving }: HostsRecord,
  facts: readonly Pick<Facts, "machine" | "hasAppData">[],
  toEnter: readonly Machine[],
  status: Pick<Status, "nodes"> | null,
): readonly Machine[] {
  if (!status) return [];
  const ours = new Set([...entering, ...leaving]);
  const known = new Set(status.nodes.map(({ name }) => name));
  return toEnter.filter(
    (machine) =>
      ours.has(machine.identity) &&
      !known.has(machine.name) &&
      facts.some((found) => found.machine === machine && found.hasAppData),
  );
}

/** In the order of the pool, those that leave last. */
export function nodesFor(
  config: ClusterConfig,
  record: Pick<HostsRecord, "nodes">,
  apps: readonly Machine[],
): RecordedNode[] {
  const known = new Map(record.nodes.map((node) => [node.name, node]));
  return apps.map((machine) => {
    const url = nodeUrl(config, machine);
    const before = known.get(machine.name);
    if (before?.address === machine.identity) return { ...before, url };
    // One with an app of its own may hold anything.
    return { name: machine.name, url, address: machine.identity, empty: config.app.kind !== "none" };
  });
}

export function nodeUrl({ ports }: ClusterConfig, { inside }: Machine): string {
  return `http://${urlHost(inside)}:${ports.apps}`;
}

/**
 * The balancer knows nodes again by name and url. Had all of them another, nobody it trusts could give them their state.
 * @param status of the balancer: right about what it knows, where a deploy before was refused
 * @throws UserError before anything is changed
 */
export function refuseOnlyNewUrls(
  config: ClusterConfig,
  record: HostsRecord,
  staying: readonly Machine[],
  status: Pick<Status, "nodes"> | null,
): void {
  if (record.releases === null && status === null) return;
  const known = new Map((status ?? record).nodes.map(({ name, url }) => [name, url]));
  const moved = staying.filter((machine) => known.get(machine.name) !== nodeUrl(config, machine));
  if (staying.length === 0 || moved.length < staying.length) return;
  throw new UserError(
    "expected a node that keeps its url while the cluster holds data, got another for each",
    {
      code: "node_urls_changed",
      problems: moved.map(
        (machine) =>
          `${machine.name}: ${nodeUrl(config, machine)}, until now ${known.get(machine.name) ?? "none"}`,
      ),
      next: [
        "put ports: { apps: … } and the hosts' addresses in lbctl.yaml back: nothing was changed",
        "or begin anew, without what the nodes hold: lbctl destroy, then lbctl deploy",
      ],
    },
  );
}

/** Once `next` runs. Never one of which no answer came: the release before that one stays. */
export function releaseToGoBackTo(
  { releases, before, answered = true }: HostsRecord,
  next: Releases,
): Releases | null {
  if (releases === null || sameReleases(releases, next)) return before;
  if (answered) return releases;
  return sameReleases(before, next) ? null : before;
}

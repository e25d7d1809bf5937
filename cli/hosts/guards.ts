/** What no command does to a cluster's nodes without somebody's wish for it. */
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import type { ChangeContext } from "../target.ts";
import { plural } from "../tools/format.ts";
import { nodeGoal } from "./goal.ts";
import type { Machine } from "./machines.ts";
import type { Facts } from "./probe.ts";
import { type HostsRecord, ownerOf, type RecordedNode } from "./record.ts";

/** Hosts that say that they are another cluster's: the state directory may be old, and its cluster ended since. */
export function hostsOfOthers<F extends Pick<Facts, "machine" | "owner">>(
  record: Pick<HostsRecord, "name" | "id">,
  facts: readonly F[],
): readonly F[] {
  return facts.filter(({ owner }) => owner !== null && owner !== ownerOf(record));
}

/** @throws UserError where a command would change, or clean, a host of another cluster */
export function refuseHostsOfOthers(
  record: Pick<HostsRecord, "name" | "id">,
  facts: readonly Pick<Facts, "machine" | "owner">[],
): void {
  const found = hostsOfOthers(record, facts);
  if (found.length === 0) return;
  throw new UserError(
    "expected hosts of this cluster, or of none, got some of another; nothing was changed",
    {
      code: "other_cluster",
      problems: found.map(
        ({ machine: { name, address }, owner }) =>
          `${name} (${address}) is of cluster "${owner?.split(" ")[0]}"`,
      ),
      next: [
        "list other hosts in lbctl.yaml, or end that cluster first: lbctl destroy, with its lbctl.yaml",
        "if that cluster is gone for good: rm /etc/lbctl/firewall.nft   # over there; it names the owner",
      ],
    },
  );
}

/**
 * @throws UserError where a destroy was stopped after it had deleted data: what is left of it must not be joined to others
 */
export function refuseHalfDestroyed(
  { destroying, nodes }: HostsRecord,
  kind: ClusterConfig["app"]["kind"],
  facts: readonly Pick<Facts, "machine" | "hasJournal" | "hasAppData">[],
): void {
  if (!destroying) return;
  const has = (identity: string) =>
    facts.some(({ machine, hasAppData }) => machine.identity === identity && hasAppData);
  const whole =
    facts.some(({ hasJournal }) => hasJournal) &&
    (kind === "none" || nodes.every(({ address }) => has(address)));
  if (whole) return;
  throw new UserError("expected a whole cluster, got one that a destroy stopped half-way through", {
    code: "half_destroyed",
    next: ["lbctl destroy   # goes on; then lbctl deploy begins anew"],
  });
}

/** An app's data that lbctl knows nothing of is never joined to others, nor deleted. */
export function refuseUnknownData(
  record: HostsRecord,
  facts: readonly Facts[],
  entering: readonly Machine[],
): void {
  const ours = new Set([...record.entering, ...record.leaving]);
  const found = facts.filter(
    ({ machine, hasAppData }) => hasAppData && entering.includes(machine) && !ours.has(machine.identity),
  );
  if (found.length === 0) return;
  throw new UserError("expected new app hosts without an app's data, got some", {
    code: "host_has_data",
    problems: found.map(
      ({ machine: { name, address } }) => `${name} (${address}): /var/lib/lb-app is not empty`,
    ),
    next: [
      "list another host: it may be another cluster's",
      "or, if nobody needs it: systemctl disable --now lb-app; mv /var/lib/lb-app /var/lib/lb-app.old   # over there",
    ],
  });
}

/** @throws UserError in a rollback that would delete a node's data: nobody means that who brings a release back */
export function refuseRemoval(
  record: HostsRecord,
  apps: readonly Machine[],
  listed: readonly Machine[],
): void {
  // One that is listed no more, or has another in its place, was given up on purpose: its host is gone.
  const gone = nodeGoal(record, apps)
    .leaving.filter(({ address }) => listed.some(({ identity }) => identity === address))
    .map(({ name }) => name);
  if (gone.length === 0) return;
  throw new UserError(
    `expected every node to stay in a rollback, got lbctl.yaml without ${gone.join(", ")}`,
    {
      code: "nodes_would_go",
      next: [
        `set nodes: ${record.nodes.length} in lbctl.yaml again, then: lbctl rollback`,
        "afterwards: lbctl scale, which drains before it removes",
      ],
    },
  );
}

/**
 * Nodes that lbctl.yaml lacks and that somebody else added: more likely it is older than they are than that they are to
 * go. A scale names how many are to stay.
 * @param local what the state directory knows of the cluster
 */
export function unseenNodes(
  record: HostsRecord,
  apps: readonly Machine[],
  local: HostsRecord | null,
  command: "deploy" | "rollback" | "scale",
): readonly RecordedNode[] {
  const { leaving, replaced } = nodeGoal(record, apps);
  const gone = command === "scale" ? replaced : [...leaving, ...replaced];
  return gone.filter(({ address }) => !local?.nodes.some((node) => node.address === address));
}

/** @throws UserError without a yes, or anybody to give it */
export async function confirmRemoval(
  unseen: readonly RecordedNode[],
  command: string,
  { ui, yes }: ChangeContext,
): Promise<void> {
  if (yes || unseen.length === 0) return;
  const nodes = unseen.map(({ name, address }) => `${name} (${address})`);
  const question = `lbctl.yaml lacks ${nodes.join(", ")}, which somebody else added. Remove ${unseen.length === 1 ? "it" : "them"}?`;
  if (await ui.confirm(question)) return;
  throw new UserError(
    `expected lbctl.yaml to have every node of the cluster, got one that lacks ${plural(unseen.length, "node")}`,
    {
      code: "nodes_would_go",
      problems: nodes.map((node) => `${node} was added from elsewhere`),
      next: [
        `get the newer lbctl.yaml, then: lbctl ${command}`,
        `lbctl ${command} --yes   # if they are to go`,
      ],
    },
  );
}

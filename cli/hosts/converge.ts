/** deploy, scale and rollback: which release, on which hosts, by whom; the rest is the same. */

import { randomBytes } from "node:crypto";
import { AdminClient } from "../admin-client.ts";
import { checkMinInSync, checkRemaining } from "../check-remaining.ts";
import { UserError } from "../errors.ts";
import { refuseOtherChanges } from "../other-changes.ts";
import { makeStateDir } from "../state.ts";
import type { Change, ChangeContext } from "../target.ts";
import { nodeNames, proxySettings } from "../tools/proxy-config.ts";
import { urlHost } from "../tools/url-host.ts";
import { adminAccess, Deployment } from "./deployment.ts";
import { machinesOnRecord } from "./goal.ts";
import {
  confirmRemoval,
  refuseHalfDestroyed,
  refuseHostsOfOthers,
  refuseRemoval,
  unseenNodes,
} from "./guards.ts";
import { installOn } from "./install.ts";
import { settingsDigest } from "./inventory.ts";
import { type Machine, machinesFor } from "./machines.ts";
import { deployedOn, ensureAdminPassword, prepare, siteOf } from "./prepare.ts";
import { probe } from "./probe.ts";
import {
  deployedRecord,
  emptyRecord,
  type HostsRecord,
  type Releases,
  readRecord,
  sameReleases,
} from "./record.ts";
import { currentRelease, type Release, refuseMissing, releaseOf } from "./releases.ts";
import { withSession } from "./session.ts";
import type { Site } from "./site.ts";
import { reachByTunnel } from "./tunnel.ts";
import type { HostsWork } from "./work.ts";

/** @throws UserError where there is no release to choose */
type Choose = (record: HostsRecord) => Release;

export function deployHosts(work: HostsWork, context: ChangeContext): Promise<readonly Change[]> {
  return converge(work, context, "deploy", () => currentRelease(work.config, work.state));
}

/** With the release that runs, or that a rollback, cut in its middle, goes back to. */
export function scaleHosts(work: HostsWork, context: ChangeContext): Promise<readonly Change[]> {
  const { config, state } = work;
  return converge(work, context, "scale", ({ releases, installing, rollingBack }) => {
    const names = rollingBack ? (installing ?? releases) : releases;
    return names ? releaseOf(config, state, names) : currentRelease(config, state);
  });
}

/** Another operator may begin with it: the balancer's host knows what is deployed. */
export async function rollbackHosts(work: HostsWork, context: ChangeContext): Promise<readonly Change[]> {
  if (await readRecord(work.state)) await deployedRecord(work.config);
  return await converge(work, context, "rollback", (record) => {
    const back = releaseBefore(record);
    if (back) return releaseOf(work.config, work.state, back);
    throw new UserError("expected a release before the one that runs, got none", {
      code: "no_release_before",
      next: ["lbctl deploy   # with the lbctl, or the app, that you want"],
    });
  });
}

/**
 * One that was cut goes on; what a deploy began and did not finish is gone back from to what ran. Never to one of which
 * no answer came.
 */
export function releaseBefore(record: HostsRecord): Releases | null {
  const { installing, rollingBack, releases, before, answered = true } = record;
  if (installing === null) return before;
  if (rollingBack) return installing;
  // It may have changed settings alone.
  return answered && !sameReleases(installing, releases) ? releases : before;
}

async function converge(
  work: HostsWork,
  context: ChangeContext,
  how: "deploy" | "scale" | "rollback",
  choose: Choose,
): Promise<readonly Change[]> {
  const command = how === "scale" ? `scale --nodes ${work.config.nodes}` : how;
  const apps = wantedApps(work);
  await makeStateDir(work.state);
  const local = await readRecord(work.state);
  const prepared = await prepare(work, local, (record) => withOthers(work, apps, record), context);
  return await withSession(work, command, async (session, signal) => {
    const known = recordOf(work, session.deployed, local);
    const record = { ...known, id: known.id ?? randomBytes(8).toString("hex") };
    refuseHostsOfOthers(record, prepared.facts);
    refuseHalfDestroyed(record, work.config.app.kind, prepared.facts);
    const site = { ...siteOf(work, prepared, apps, choose(record), record, context), signal };
    checkRelease(site);
    if (how === "rollback") refuseRemoval(record, apps, work.machines.apps);
    await confirmRemoval(unseenNodes(record, apps, local, how), command, context);
    await ensureAdminPassword(work, prepared.facts);
    await using deployment = new Deployment(site, session, record);
    return await installOn(deployment, context, how === "rollback");
  });
}

function checkRelease({ config, release, facts, machines, apps }: Site): void {
  const balancer = facts.find(({ machine }) => machine === machines.balancer);
  if (!balancer) throw new Error("expected facts of the balancer's host, got none");
  const ofApps = facts.filter(({ machine }) => apps.includes(machine));
  refuseMissing(config.app, release, balancer, ofApps);
}

/** @throws UserError where fewer hosts are listed than nodes wanted */
export function wantedApps({ machines, config }: HostsWork): readonly Machine[] {
  return machinesFor(machines, config.nodes ?? machines.apps.length);
}

/** Those that run a node now, or that a command was stopped at, are looked at, too: something is to be stopped there. */
export function withOthers(
  { machines }: HostsWork,
  apps: readonly Machine[],
  record: HostsRecord | null,
): readonly Machine[] {
  return [...new Set([...apps, ...machinesOnRecord(machines, record)])];
}

/** The host's own word for what is there; the state directory may be another operator's, or old. */
export function recordOf(
  { config, machines }: HostsWork,
  theirs: HostsRecord | null,
  local: HostsRecord | null,
): HostsRecord {
  if (theirs && theirs.name !== config.name) {
    throw new UserError(
      `expected the host ${machines.balancer.address} to be free, got the balancer of cluster "${theirs.name}"`,
      {
        code: "other_cluster",
        next: [`set name: ${theirs.name} in lbctl.yaml if it is that cluster, or list another host`],
      },
    );
  }
  if (!theirs && local?.releases)
    throw balancerLost({ name: config.name, address: machines.balancer.address });
  const url = new URL(`${config.tls ? "https" : "http"}://${urlHost(machines.traffic)}`);
  url.port = String(config.ports.traffic);
  const now = { balancerUrl: url.origin, target: config.target };
  // Where the balancer is asked now: only once it runs with another port or user does the record say so.
  const { adminPort, adminUser } = theirs ?? adminAccess(config);
  return { ...(theirs ?? local ?? emptyRecord(config.name)), ...now, adminPort, adminUser };
}

function balancerLost({ name, address }: { readonly name: string; readonly address: string }): UserError {
  return new UserError(
    `expected the balancer's host (${address}) to know cluster "${name}", got no record of it: its journal is gone, or it is another host`,
    {
      code: "balancer_lost",
      next: [
        "/var/lib/lbctl/audit.log   # over there: did somebody destroy the cluster?",
        "put back /var/lib/lbctl and /var/lib/lb-proxy of the host that it was on",
        "or begin anew, without what the nodes hold: lbctl destroy, then lbctl deploy",
      ],
    },
  );
}

/**
 * @param local what the state directory knows of the cluster
 * @throws UserError where settings wait for a deploy, hosts are missing, or too few in-sync nodes would remain
 */
export async function checkScale(hosts: HostsWork, nodes: number, local: HostsRecord): Promise<void> {
  machinesFor(hosts.machines, nodes);
  const record = recordOf(hosts, deployedOn(await probe(hosts, [hosts.machines.balancer], "install")), local);
  const other = record.settings !== null && record.settings !== settingsDigest(hosts);
  refuseOtherChanges(
    other ? [{ action: "change", what: "settings", detail: "lbctl.yaml differs from what is deployed" }] : [],
  );
  checkMinInSync(nodes, minInSync(hosts));
  await using reached = await reachByTunnel(hosts, record);
  const status = await new AdminClient(reached.cluster, hosts.signal).statusUnlessHung();
  if (status && status.nodes.length > nodes) checkRemaining(status, nodeNames(nodes));
}

function minInSync({ config }: HostsWork): number {
  const { writes } = proxySettings(config) as { writes?: { minInSync?: number } };
  return writes?.minInSync ?? 1;
}

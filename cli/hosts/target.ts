/** A target whose cluster lives on machines that SSH reaches, wherever the list of them comes from. */
import type { AuditEntry } from "../audit.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { whoami } from "../lock.ts";
import { statePaths } from "../state.ts";
import type { Target } from "../target.ts";
import { runTool } from "../tool.ts";
import { sshArgv } from "../tools/ssh.ts";
import { checkScale, deployHosts, rollbackHosts, scaleHosts } from "./converge.ts";
import { destroyHosts } from "./destroy.ts";
import { hostsFindings } from "./doctor.ts";
import { journalLog } from "./journal-log.ts";
import { accessOf, type Machines } from "./machines.ts";
import { hostsDashboards, wayToPages } from "./pages.ts";
import { planHosts } from "./plan.ts";
import { clusterOf, deployedRecord, readRecord } from "./record.ts";
import { reachByTunnel } from "./tunnel.ts";
import { reportOf, unitsOf } from "./units.ts";
import type { HostsWork } from "./work.ts";

export function hostsTarget(machinesOf: (config: ClusterConfig) => Promise<Machines>): Target {
  const workOf = async (config: ClusterConfig, signal: AbortSignal): Promise<HostsWork> => ({
    config,
    state: statePaths(config.dir, config.name),
    machines: await machinesOf(config),
    signal,
  });
  return {
    find: async (config) => {
      const record = await deployedRecord(config);
      return clusterOf(config, record, new URL(record.balancerUrl).hostname);
    },
    reach: async (config, signal, options) =>
      reachByTunnel(await workOf(config, signal), await deployedRecord(config), options),
    plan: async (config, context) => planHosts(await workOf(config, context.signal), context),
    deploy: async (config, context) => deployHosts(await workOf(config, context.signal), context),
    checkScale: async (config, nodes, { signal }) =>
      checkScale(await workOf(config, signal), nodes, await deployedRecord(config)),
    scale: async (config, context) => scaleHosts(await workOf(config, context.signal), context),
    rollback: async (config, context) => rollbackHosts(await workOf(config, context.signal), context),
    destroy: async (config, options, context) =>
      destroyHosts(await workOf(config, context.signal), options, context),
    isElsewhere: () => true,
    processes: async (config, signal) => {
      const work = await workOf(config, signal);
      return Promise.all(unitsOf(work, await deployedRecord(config)).map((unit) => reportOf(work, unit)));
    },
    logs: async (config) => {
      const record = await readRecord(statePaths(config.dir, config.name));
      if (!record) return [];
      const work = await workOf(config, new AbortController().signal);
      return unitsOf(work, record).map((unit) => journalLog(work, unit));
    },
    dashboards: async (config) => hostsDashboards(await machinesOf(config)),
    wayToPages: async (config) => wayToPages(await workOf(config, new AbortController().signal)),
    doctor: async (config, fix, signal) => hostsFindings(await workOf(config, signal), fix),
    audit: async (config, entry) => auditOnHost(await workOf(config, new AbortController().signal), entry),
  };
}

/** For what needs no lock; a line by stdin, so that it is in no argument list. */
async function auditOnHost({ machines, state, signal }: HostsWork, entry: AuditEntry): Promise<void> {
  const append = "umask 077; mkdir -p /var/lib/lbctl; cat >> /var/lib/lbctl/audit.log";
  const command = `if [ "$(id -u)" = 0 ]; then exec sh -c '${append}'; else exec sudo -n sh -c '${append}'; fi`;
  const argv = sshArgv(accessOf(machines.balancer, machines.acceptNewHostKeys, state), command);
  const line = { at: new Date().toISOString(), user: whoami(), ...entry };
  await runTool({ argv, input: `${JSON.stringify(line)}\n`, signal });
}

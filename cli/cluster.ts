/** The cluster that is deployed now: where it is reached and whom to ask. Read by every command that talks to it. */
import { readFile } from "node:fs/promises";
import type { ClusterConfig, TargetName } from "./cluster-config.ts";
import { loadClusterConfig } from "./config-file.ts";
import { errorCode, messageOf, UserError } from "./errors.ts";
import { readJson, type StatePaths, statePaths } from "./state.ts";

export interface ClusterNode {
  readonly name: string;
  /** `http://127.0.0.1:4567` */
  readonly url: string;
}

export interface Cluster {
  readonly name: string;
  readonly target: TargetName;
  /** `lbctl.yaml`, or null: the defaults. */
  readonly configFile: string | null;
  readonly state: StatePaths;
  /** Where clients send requests: `http://127.0.0.1:8080`, `https://192.0.2.10`. */
  readonly balancerUrl: string;
  /** File with the certificate that it shows there, where it is HTTPS. */
  readonly certificate: string | null;
  /** Stats page, admin API and metrics: `http://127.0.0.1:1936`. */
  readonly adminUrl: string;
  readonly adminUser: string;
  /** 0600; never print what is in it. */
  readonly adminPasswordFile: string;
  readonly nodes: readonly ClusterNode[];
}

export interface ClusterLocation {
  /** `--config`; without it `lbctl.yaml` in the working directory, if there is one. */
  readonly config?: string | undefined;
}

/** What lbctl reads back from the balancer's config that it wrote. */
interface DeployedProxyConfig {
  readonly listen: string;
  readonly admin: { readonly listen: string; readonly user: string; readonly passwordFile: string };
  readonly nodes: readonly ClusterNode[];
}

/**
 * Finds the deployed cluster by its config file and state directory.
 * @throws UserError when the config is wrong, or nothing is deployed
 */
export async function loadCluster(location: ClusterLocation = {}): Promise<Cluster> {
  return loadClusterOf(await loadClusterConfig(location.config));
}

export async function loadClusterOf(config: ClusterConfig): Promise<Cluster> {
  const state = statePaths(config.dir, config.name);
  const deployed = await readDeployed(state, config.name);
  return {
    name: config.name,
    target: config.target,
    configFile: config.file,
    state,
    balancerUrl: `http://${deployed.listen}`,
    certificate: null,
    adminUrl: `http://${deployed.admin.listen}`,
    adminUser: deployed.admin.user,
    adminPasswordFile: deployed.admin.passwordFile,
    nodes: deployed.nodes.map(({ name, url }) => ({ name, url })),
  };
}

/** The balancer makes the file when it starts; it never did, or somebody removed it. */
export class NoPassword extends UserError {
  constructor(file: string, cause: unknown) {
    super(`expected the admin password in ${file}, got ${errorCode(cause) ?? messageOf(cause)}`, {
      code: "no_password",
      next: ["lbctl status", "lbctl logs balancer   # the balancer makes the file when it starts"],
      cause,
    });
    this.name = "NoPassword";
  }
}

/** The admin password, read anew each time; hand it to nothing but the Authorization header. */
export async function readAdminPassword(cluster: Pick<Cluster, "adminPasswordFile">): Promise<string> {
  try {
    return (await readFile(cluster.adminPasswordFile, "utf8")).trim();
  } catch (cause) {
    throw new NoPassword(cluster.adminPasswordFile, cause);
  }
}

async function readDeployed(state: StatePaths, name: string): Promise<DeployedProxyConfig> {
  const deployed = await readJson<DeployedProxyConfig>(state.proxyConfig);
  if (deployed) return deployed;
  throw new UserError(`expected a deployed cluster "${name}", got none (no ${state.proxyConfig})`, {
    code: "not_deployed",
    next: ["lbctl deploy"],
  });
}

import { readCertificate } from "../certificate.ts";
import type { Cluster } from "../cluster.ts";
import { loadClusterConfig } from "../config-file.ts";
import { UserError } from "../errors.ts";
import { type ReachedCluster, reach } from "../operations/reach.ts";
import { targetOf } from "../targets.ts";
import type { BenchAdmin } from "./options.ts";

export interface AimFlags {
  readonly config?: string | undefined;
  readonly url?: string | undefined;
  readonly "allow-other-target"?: boolean | undefined;
}

export interface Aim extends AsyncDisposable {
  readonly url: string;
  /** In PEM, where the cluster has one. */
  readonly certificate: string | null;
  /** Null for a target that is not this cluster's: nobody to ask, so no audit. */
  readonly admin: BenchAdmin | null;
}

/**
 * What a load is aimed at: this cluster's balancer, or, only if told so twice, something else.
 * @throws UserError
 */
export async function takeAim(flags: AimFlags, signal: AbortSignal): Promise<Aim> {
  const { url, "allow-other-target": otherAllowed = false } = flags;
  if (otherAllowed && url === undefined) {
    throw new UserError("expected --url with --allow-other-target, got none", { exitCode: 2 });
  }
  const cluster = await deployed(flags.config).catch((error: unknown) => {
    if (otherAllowed && error instanceof UserError && error.exitCode === 1) return null;
    throw error;
  });
  if (cluster !== null && (url === undefined || sameOrigin(url, cluster.balancerUrl)))
    return await aimAt(await reach(flags.config, signal, { nodes: true }));
  if (url !== undefined && otherAllowed)
    return { url, certificate: null, admin: null, [Symbol.asyncDispose]: async () => undefined };
  throw new UserError(`expected --url to be this cluster's balancer (${cluster?.balancerUrl}), got ${url}`, {
    exitCode: 2,
    next: [
      "lbctl bench                              # this cluster",
      "--allow-other-target   # if you may load that one",
    ],
  });
}

async function deployed(configFlag: string | undefined): Promise<Cluster> {
  const config = await loadClusterConfig(configFlag);
  return (await targetOf(config)).find(config);
}

/** The audit asks the nodes themselves, where they are reached from here. */
async function aimAt({ cluster, admin, ...reached }: ReachedCluster): Promise<Aim> {
  const urls = new Map(cluster.nodes.map(({ name, url }) => [name, url]));
  const status = async () => {
    const found = await admin.status();
    return {
      ...found,
      nodes: found.nodes.map((node) => ({ ...node, url: urls.get(node.name) ?? node.url })),
    };
  };
  return {
    url: cluster.balancerUrl,
    certificate: await readCertificate(cluster),
    admin: { status, verify: () => admin.verify() },
    [Symbol.asyncDispose]: () => reached[Symbol.asyncDispose](),
  };
}

function sameOrigin(typed: string, own: string): boolean {
  const origin = (text: string) => URL.parse(text)?.origin.replace("//localhost", "//127.0.0.1");
  return origin(typed) === origin(own);
}

import { AdminClient } from "../admin-client.ts";
import { type Cluster, loadCluster } from "../cluster.ts";
import { UserError } from "../errors.ts";
import type { BenchAdmin } from "./options.ts";

export interface AimFlags {
  readonly config?: string | undefined;
  readonly url?: string | undefined;
  readonly "allow-other-target"?: boolean | undefined;
}

export interface Aim {
  readonly url: string;
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
  const cluster = await loadCluster({ config: flags.config }).catch((error: unknown) => {
    if (otherAllowed && error instanceof UserError && error.exitCode === 1) return null;
    throw error;
  });
  if (cluster !== null && (url === undefined || sameOrigin(url, cluster.balancerUrl)))
    return aimAt(cluster, signal);
  if (url !== undefined && otherAllowed) return { url, admin: null };
  throw new UserError(`expected --url to be this cluster's balancer (${cluster?.balancerUrl}), got ${url}`, {
    exitCode: 2,
    next: [
      "lbctl bench                              # this cluster",
      "--allow-other-target   # if you may load that one",
    ],
  });
}

function aimAt(cluster: Cluster, signal: AbortSignal): Aim {
  return { url: cluster.balancerUrl, admin: new AdminClient(cluster, signal) };
}

function sameOrigin(typed: string, own: string): boolean {
  const origin = (text: string) => URL.parse(text)?.origin.replace("//localhost", "//127.0.0.1");
  return origin(typed) === origin(own);
}

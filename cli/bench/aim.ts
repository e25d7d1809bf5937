import { type Cluster, loadCluster, readAdminPassword } from "../cluster.ts";
import { UserError } from "../errors.ts";
import type { AdminAccess } from "./options.ts";

export interface AimFlags {
  readonly config?: string | undefined;
  readonly url?: string | undefined;
  readonly "allow-other-target"?: boolean | undefined;
}

export interface Aim {
  readonly url: string;
  /** Null for a target that is not this cluster's: nobody to ask, so no audit. */
  readonly admin: AdminAccess | null;
}

/**
 * What a load is aimed at: this cluster's balancer, or, only if told so twice, something else.
 * @throws UserError
 */
export async function takeAim(flags: AimFlags): Promise<Aim> {
  const { url, "allow-other-target": otherAllowed = false } = flags;
  if (otherAllowed && url === undefined) {
    throw new UserError("expected --url with --allow-other-target, got none", { exitCode: 2 });
  }
  const cluster = await loadCluster({ config: flags.config }).catch((error: unknown) => {
    if (otherAllowed && error instanceof UserError && error.exitCode === 1) return null;
    throw error;
  });
  if (cluster !== null && (url === undefined || sameOrigin(url, cluster.balancerUrl))) return aimAt(cluster);
  if (url !== undefined && otherAllowed) return { url, admin: null };
  throw new UserError(`expected --url to be this cluster's balancer (${cluster?.balancerUrl}), got ${url}`, {
    exitCode: 2,
    next: [
      "lbctl bench                              # this cluster",
      "--allow-other-target   # if you may load that one",
    ],
  });
}

async function aimAt(cluster: Cluster): Promise<Aim> {
  const password = await readAdminPassword(cluster);
  return { url: cluster.balancerUrl, admin: { url: cluster.adminUrl, user: cluster.adminUser, password } };
}

function sameOrigin(typed: string, own: string): boolean {
  const origin = (text: string) => URL.parse(text)?.origin.replace("//localhost", "//127.0.0.1");
  return origin(typed) === origin(own);
}

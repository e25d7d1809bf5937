/** The certificate that the balancer shows to clients: looked at before it goes there, and what lbctl itself trusts. */
import { readFile } from "node:fs/promises";
import { ConfigError } from "../proxy/config/config.ts";
import { readTls, tlsWarnings } from "../proxy/config/tls-files.ts";
import type { Cluster } from "./cluster.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import { errorCode, UserError } from "./errors.ts";
import type { Finding } from "./target.ts";

type Shown = Pick<ClusterConfig, "tls" | "file">;

/** @throws UserError where certificate and key can't be used; exit code 2 */
export function checkCertificate({ tls, file }: Shown): void {
  if (tls === null) return;
  try {
    readTls(tls, "tls");
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new UserError("expected a certificate and its key, got something else", {
      code: "certificate_not_usable",
      exitCode: 2,
      problems: error.problems,
      next: [`correct tls in ${file}, or renew the files`],
      cause: error,
    });
  }
}

/** @returns none where nothing is to be shown */
export function certificateFindings({ tls }: Shown, now = Date.now()): Finding[] {
  if (tls === null) return [];
  const finding = (ok: boolean, found: string): Finding => ({
    check: "certificate",
    ok,
    found,
    mend: ok ? "" : "renew it (tls in lbctl.yaml), then: lbctl deploy",
  });
  try {
    const pair = readTls(tls, "tls");
    const [warning] = tlsWarnings(pair, "tls", now);
    return [finding(warning === undefined, warning ?? `until ${new Date(pair.expiresAt).toISOString()}`)];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [finding(false, error.problems.join("; "))];
  }
}

/** @returns in PEM; null where the balancer speaks plain HTTP */
export async function readCertificate({
  balancerUrl,
  certificate,
}: Pick<Cluster, "balancerUrl" | "certificate">): Promise<string | null> {
  if (certificate === null || !balancerUrl.startsWith("https:")) return null;
  try {
    return await readFile(certificate, "utf8");
  } catch (cause) {
    throw new UserError(`expected the balancer's certificate in ${certificate}, got ${errorCode(cause)}`, {
      exitCode: 2,
      next: ["name the file that it was deployed with: tls/cert in lbctl.yaml"],
      cause,
    });
  }
}

/** For undici: that certificate and no other. A cluster is reached by its address, which none has to name. */
export function trusting(certificate: string | null) {
  if (certificate === null) return {};
  return { ca: certificate, allowPartialTrustChain: true, checkServerIdentity: () => undefined };
}

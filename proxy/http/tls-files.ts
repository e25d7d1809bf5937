import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";

/** What a listener with TLS shows, out of its files. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** When the first certificate of the chain expires: ms since the epoch. */
  readonly expiresAt: number;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Certificate (with its chain) and key out of their files; throws where they don't fit together. */
export function readTls(files: { readonly cert: string; readonly key: string }): TlsPair {
  const pair = { cert: readFileSync(files.cert), key: readFileSync(files.key) };
  createSecureContext(pair);
  return { ...pair, expiresAt: firstExpiry(pair.cert) };
}

function firstExpiry(chain: Buffer): number {
  const certificates = chain.toString("latin1").match(CERTIFICATE) ?? [chain];
  return Math.min(...certificates.map((pem) => new X509Certificate(pem).validToDate.getTime()));
}

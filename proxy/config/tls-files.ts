/** Certificate and key of a listener, out of their files. Nothing that a file holds is ever in a message. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { ConfigError } from "./config-error.ts";
import { codeOf, readNamedFile } from "./named-file.ts";

export interface TlsFiles {
  /** PEM: the certificate and its chain. */
  readonly cert: string;
  /** PEM: its private key. */
  readonly key: string;
}

/** What a listener with TLS shows. The chain is valid between the two times: ms since the epoch. */
export interface TlsPair {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly validFrom: number;
  readonly expiresAt: number;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Throws a ConfigError with all that is wrong, where the two can't be used together; `path` is their key. */
export function readTls(files: TlsFiles, path: string): TlsPair {
  const problems: string[] = [];
  const part = <T>(name: keyof TlsFiles, what: string, parse: (pem: Buffer) => T) => {
    try {
      return readPart(files[name], `${path}/${name}`, what, parse);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return null;
    }
  };
  const cert = part("cert", "a certificate in PEM", chainOf);
  const key = part("key", "a private key in PEM without a passphrase", createPrivateKey);
  if (cert && key && !cert.value.first.checkPrivateKey(key.value)) {
    problems.push(`${path}/key: expected the key of the certificate in ${files.cert}, got another`);
  }
  if (!cert || !key || problems.length > 0) throw new ConfigError(problems);
  const { validFrom, expiresAt } = cert.value;
  return usable({ cert: cert.pem, key: key.pem, validFrom, expiresAt }, path);
}

/** What clients will refuse, though TLS itself takes it; `path` is the key of the pair. */
export function tlsWarnings({ validFrom, expiresAt }: TlsPair, path: string, now: number): string[] {
  const expected = `${path}/cert: expected a certificate that is valid, got one that`;
  if (expiresAt < now) return [`${expected} expired on ${new Date(expiresAt).toISOString()}`];
  if (validFrom > now) return [`${expected} is valid from ${new Date(validFrom).toISOString()} on`];
  return [];
}

function readPart<T>(file: string, path: string, what: string, parse: (pem: Buffer) => T) {
  const pem = readNamedFile(file, path);
  try {
    return { pem, value: parse(pem) };
  } catch (cause) {
    throw new ConfigError([`${path}: expected ${what} at ${file}, got something else`], { cause });
  }
}

interface Chain {
  readonly first: X509Certificate;
  readonly validFrom: number;
  readonly expiresAt: number;
}

/** A chain is as good as the certificate in it that expires first. */
function chainOf(pem: Buffer): Chain {
  const blocks = pem.toString("latin1").match(CERTIFICATE) ?? [pem];
  const certificates = blocks.map((block) => new X509Certificate(block));
  return {
    first: new X509Certificate(pem),
    validFrom: Math.max(...certificates.map(({ validFromDate }) => validFromDate.getTime())),
    expiresAt: Math.min(...certificates.map(({ validToDate }) => validToDate.getTime())),
  };
}

/** TLS has rules of its own: no short keys, a chain that can be read to its end. */
function usable(pair: TlsPair, path: string): TlsPair {
  try {
    createSecureContext(pair);
  } catch (cause) {
    throw new ConfigError([`${path}: expected a certificate and key that TLS takes, got ${codeOf(cause)}`], {
      cause,
    });
  }
  return pair;
}

/**
 * The look at the files that a config names: certificates, keys, passwords, header fields. It makes nothing, so that `check` can
 * do it, and it comes before anything is made by `run` or changed by SIGHUP.
 */

import { statSync } from "node:fs";
import { readCollectorHeaders } from "./collector-headers.ts";
import { ConfigError } from "./config-error.ts";
import { readPasswordFile } from "./password-file.ts";
import { readTls, type TlsFiles, tlsWarnings } from "./tls-files.ts";

/** As much of the config as names such files: the sections that are right by themselves. */
export interface FileSections {
  readonly listen?: { readonly tls: TlsFiles | null };
  readonly admin?: {
    readonly tls: TlsFiles | null;
    readonly passwordFile: string;
    readonly viewer: { readonly passwordFile: string } | null;
  };
  readonly journal?: { readonly keyFile: string };
  readonly tracing?: { readonly headersFile: string | null } | null;
}

/** What is wrong with the files, each with the path of its key. */
export function fileProblems(config: FileSections): string[] {
  return [
    ...pairs(config).flatMap(([path, files]) => problemsOf(() => readTls(files, path))),
    ...passwords(config).flatMap(([path, file]) => problemsOf(() => readPasswordFile(file, path))),
    ...collector(config).flatMap(([path, file]) => problemsOf(() => readCollectorHeaders(file, path))),
  ];
}

/**
 * What somebody should look after, though it can be used: not serving would mend none of it. For files without
 * problems; else it throws a ConfigError, too.
 */
export function fileWarnings(config: FileSections, now = Date.now()): string[] {
  const secrets = [
    ...pairs(config).map(([path, { key }]): Named => [`${path}/key`, key]),
    ...passwords(config),
    ...collector(config),
    ...(config.journal ? [["journal/keyFile", config.journal.keyFile] as const] : []),
  ];
  return [
    ...pairs(config).flatMap(([path, files]) => tlsWarnings(readTls(files, path), path, now)),
    ...secrets.flatMap(([path, file]) => openToOthers(file, path)),
  ];
}

type Named<T = string> = readonly [path: string, file: T];

function pairs({ listen, admin }: FileSections): Named<TlsFiles>[] {
  return [
    ...(listen?.tls ? [["listen/tls", listen.tls] as const] : []),
    ...(admin?.tls ? [["admin/tls", admin.tls] as const] : []),
  ];
}

function passwords({ admin }: FileSections): Named[] {
  if (!admin) return [];
  const own: Named = ["admin/passwordFile", admin.passwordFile];
  return admin.viewer ? [own, ["admin/viewer/passwordFile", admin.viewer.passwordFile]] : [own];
}

function collector({ tracing }: FileSections): Named[] {
  return tracing?.headersFile ? [["tracing/headersFile", tracing.headersFile]] : [];
}

function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** A group is all right: services share files by it. */
function openToOthers(file: string, path: string): string[] {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
  if ((mode & 0o007) === 0) return [];
  const got = (mode & 0o777).toString(8).padStart(4, "0");
  return [
    `${path}: expected a file that only its owner and group can use, got mode ${got}; chmod o= ${file}`,
  ];
}

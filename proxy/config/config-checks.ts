/** What must hold between settings. Each check runs when the sections that it needs are right by themselves. */

import { sep } from "node:path";
import { formatDuration, formatSize } from "./units.ts";

/** The sections that were right by themselves. */
export type PartialConfig<Parsed> = { readonly [Name in keyof Parsed]?: Parsed[Name] };

interface Listen {
  readonly host: string;
  readonly port: number;
}

/** As much of the config as the checks look at. */
interface Checked {
  readonly listen?: { readonly address: Listen };
  readonly dataDir?: string;
  readonly admin?: {
    readonly listen: Listen;
    readonly user: string;
    readonly passwordFile: string;
    readonly viewer: { readonly user: string; readonly passwordFile: string } | null;
  };
  readonly nodes?: readonly { readonly url: string }[];
  readonly routes?: readonly (
    | {
        readonly to: "one";
        readonly name: string;
        readonly firstByteTimeout: number;
        readonly timeout: number;
      }
    | { readonly to: "all"; readonly name: string }
  )[];
  readonly health?: { readonly interval: number; readonly timeout: number };
  readonly writes?: {
    readonly sendTimeout: number;
    readonly ackTimeout: number;
    readonly minInSync: number;
    readonly idempotencyWindow: number;
    readonly backoff: { readonly min: number; readonly max: number };
  };
  readonly journal?: {
    readonly keyFile: string;
    readonly headFile: string;
    readonly maxSize: number;
    readonly retention?: number | "keep" | undefined;
  };
  readonly limits?: { readonly body: number };
  readonly tracing?: { readonly headersFile: string | null } | null;
}

/** The problems that only show when settings are looked at together. */
export function checkTogether(config: Checked, given: Record<string, unknown>): string[] {
  return [
    ...repeated("nodes", "name", given.nodes),
    ...repeated("nodes", "url", given.nodes),
    ...routeProblems(config),
    ...timeProblems(config),
    ...listenProblems(config),
    ...fileProblems(config),
    ...sizeProblems(config),
  ];
}

/** On what was given, not on what was parsed, so that it is said even where a node has other faults. */
function repeated(section: string, key: string, list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  const seen = new Map<unknown, number>();
  return list.flatMap((item: unknown, index) => {
    const value = typeof item === "object" && item !== null ? Reflect.get(item, key) : undefined;
    if (typeof value !== "string") return [];
    const same = key === "url" && URL.canParse(value) ? new URL(value).origin : value;
    const first = seen.get(same);
    seen.set(same, first ?? index);
    return first === undefined
      ? []
      : [`${section}/${index}/${key}: expected a ${key} of its own, got that of ${section}/${first}`];
  });
}

function routeProblems({ routes = [] }: Checked): string[] {
  const names = routes.map((route) => route.name);
  return routes.flatMap((route, index) => {
    const problems: string[] = [];
    const first = names.indexOf(route.name);
    if (first < index) {
      problems.push(`routes/${index}/name: expected a name of its own, got that of routes/${first}`);
    }
    if (route.to === "one" && route.firstByteTimeout > route.timeout) {
      problems.push(
        longer(`routes/${index}/firstByteTimeout`, route.firstByteTimeout, "timeout", route.timeout),
      );
    }
    return problems;
  });
}

function timeProblems({ writes, health, journal }: Checked): string[] {
  const problems: string[] = [];
  if (writes && writes.sendTimeout >= writes.ackTimeout) {
    problems.push(
      `writes/sendTimeout: expected less than writes/ackTimeout (${formatDuration(writes.ackTimeout)}), got ${formatDuration(writes.sendTimeout)}`,
    );
  }
  if (writes && writes.backoff.min > writes.backoff.max) {
    problems.push(longer("writes/backoff/min", writes.backoff.min, "writes/backoff/max", writes.backoff.max));
  }
  if (health && health.timeout > health.interval) {
    problems.push(longer("health/timeout", health.timeout, "health/interval", health.interval));
  }
  const retention = journal?.retention;
  if (writes && typeof retention === "number" && retention < writes.idempotencyWindow) {
    problems.push(
      `journal/retention: expected at least writes/idempotencyWindow (${formatDuration(writes.idempotencyWindow)}), got ${formatDuration(retention)}`,
    );
  }
  return problems;
}

function longer(path: string, value: number, limit: string, max: number): string {
  return `${path}: expected at most ${limit} (${formatDuration(max)}), got ${formatDuration(value)}`;
}

function listenProblems({ listen, admin, nodes = [] }: Checked): string[] {
  const problems: string[] = [];
  const address = listen?.address;
  if (address && admin && address.port !== 0 && isSame(address, admin.listen)) {
    problems.push(`admin/listen: expected an address of its own, got that of listen`);
  }
  for (const [index, node] of nodes.entries()) {
    const url = new URL(node.url);
    const target = { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || 80) };
    if (address && leadsTo(target, address)) {
      problems.push(`nodes/${index}/url: expected an app server, got the balancer's own address`);
    }
  }
  if (admin?.viewer && admin.viewer.user === admin.user) {
    problems.push("admin/viewer/user: expected a user other than admin/user, got the same");
  }
  return problems;
}

const LOCAL_4 = /^(?:localhost|127\.[\d.]+|0\.0\.0\.0)$/;
const LOCAL_6 = /^(?:localhost|::1?)$/;
const ANY = ["0.0.0.0", "::"];
const LOOPBACK = ["localhost", "127.0.0.1", "::1"];

/** As far as an address tells; http/framing.ts notices the rest (this machine's other addresses and names, NAT). */
function leadsTo(target: Listen, listen: Listen): boolean {
  if (target.port !== listen.port) return false;
  const [to, at] = [plain(target.host), plain(listen.host)];
  // To connect to "any address" is to connect to this machine.
  if (ANY.includes(to)) return ANY.includes(at) || LOCAL_4.test(at) || LOCAL_6.test(at);
  if (at === "0.0.0.0") return LOCAL_4.test(to);
  if (at === "::") return LOCAL_4.test(to) || LOCAL_6.test(to);
  const byName = to === "localhost" || at === "localhost";
  return to === at || (byName && LOOPBACK.includes(to) && LOOPBACK.includes(at));
}

/** An IPv4 address that is written as IPv6 (RFC 4291 §2.5.5.2), as URLs spell it, is that IPv4 address. */
function plain(host: string): string {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host.toLowerCase()) ?? [];
  if (high === undefined || low === undefined) return host.toLowerCase();
  const bytes = [high, low].map((part) => Number.parseInt(part, 16)).flatMap((n) => [n >> 8, n & 255]);
  return bytes.join(".");
}

function isSame(a: Listen, b: Listen): boolean {
  return a.port === b.port && a.host.toLowerCase() === b.host.toLowerCase();
}

/** A key beside what it locks, or a head mark that is put back together with an older journal, is of no use. */
function fileProblems({ dataDir, journal, admin, tracing }: Checked): string[] {
  const files: [string, string | undefined][] = [
    ["journal/keyFile", journal?.keyFile],
    ["journal/headFile", journal?.headFile],
    ["admin/passwordFile", admin?.passwordFile],
    ["admin/viewer/passwordFile", admin?.viewer?.passwordFile],
    ["tracing/headersFile", tracing?.headersFile ?? undefined],
  ];
  const problems: string[] = [];
  const seen = new Map<string, string>();
  for (const [path, file] of files) {
    if (file === undefined) continue;
    const other = seen.get(file);
    if (other !== undefined) problems.push(`${path}: expected a file of its own, got that of ${other}`);
    seen.set(file, path);
    if (path.startsWith("journal/") && dataDir !== undefined && isInside(file, dataDir)) {
      problems.push(`${path}: expected a file outside dataDir, got one inside it`);
    }
  }
  return problems;
}

function isInside(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function sizeProblems({ writes, nodes, journal, limits }: Checked): string[] {
  const problems: string[] = [];
  if (writes && nodes && writes.minInSync > nodes.length) {
    problems.push(
      `writes/minInSync: expected at most the number of nodes (${nodes.length}), got ${writes.minInSync}`,
    );
  }
  if (journal && limits && journal.maxSize < 4 * limits.body) {
    problems.push(
      `journal/maxSize: expected at least 4 × limits/body (${formatSize(4 * limits.body)}), got ${formatSize(journal.maxSize)}`,
    );
  }
  return problems;
}

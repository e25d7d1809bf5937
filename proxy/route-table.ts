import type { RouteConfig } from "./config/config.ts";

export type Match =
  | { readonly kind: "route"; readonly route: RouteConfig }
  | { readonly kind: "no-route" }
  /** The path matches, the method does not: these do. */
  | { readonly kind: "no-method"; readonly allow: readonly string[] };

/** Finds the first route that takes a method and a path. */
export class RouteTable {
  readonly #routes: readonly RouteConfig[];
  /** What was found before: routes never change in a table, and few paths make most of the traffic. */
  readonly #found = new Map<string, RouteConfig>();

  readonly #private: readonly string[];

  /** @param own paths that the balancer alone may ask nodes for (snapshot, digest): no client gets through to them */
  constructor(routes: readonly RouteConfig[], own: readonly (string | null)[] = []) {
    this.#routes = routes;
    this.#private = own.flatMap((path) => (path === null ? [] : [plain(path)]));
  }

  match(method: string, path: string): Match {
    const name = `${method} ${path}`;
    const known = this.#found.get(name);
    if (known !== undefined) return { kind: "route", route: known };
    if (this.#private.includes(plain(path))) return { kind: "no-route" };
    const fitting = this.#routes.filter((route) => takesPath(route, path));
    const route = fitting.find(({ match }) => (match.methods as readonly string[]).includes(method));
    if (route === undefined) return refusal(fitting);
    if (this.#found.size < MAX_FOUND) this.#found.set(name, route);
    return { kind: "route", route };
  }
}

/** Bounded: clients choose the paths. */
const MAX_FOUND = 1000;

function refusal(fitting: readonly RouteConfig[]): Match {
  if (fitting.length === 0) return { kind: "no-route" };
  return { kind: "no-method", allow: [...new Set(fitting.flatMap(({ match }) => match.methods))] };
}

function takesPath({ match: { paths, prefixes }, caseSensitive }: RouteConfig, path: string): boolean {
  if (paths === null && prefixes === null) return true;
  const same = caseSensitive ? (text: string) => text : (text: string) => text.toLowerCase();
  const asked = same(path);
  if (paths?.some((one) => same(one) === asked)) return true;
  return prefixes?.some((prefix) => isUnder(asked, same(prefix))) ?? false;
}

/** One text for all spellings of a path that some app may take for the same. */
function plain(path: string): string {
  let text = path;
  try {
    text = decodeURIComponent(path);
  } catch {
    // Not UTF-8: compared as it is.
  }
  return `/${text
    .toLowerCase()
    .replace(/;[^/]*/g, "")
    .split("/")
    .filter(Boolean)
    .join("/")}`;
}

/** By whole segments: /api is /api and /api/x, not /apix. */
function isUnder(path: string, prefix: string): boolean {
  const base = prefix.endsWith("/") ? prefix : `${prefix}/`;
  return path === prefix || path.startsWith(base);
}

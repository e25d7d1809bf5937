import type { ServerResponse } from "node:http";
import type { Control } from "../control.ts";
import { LbError } from "../errors.ts";
import type { History } from "../history/history.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Caller } from "./admin-auth.ts";
import type { Streams } from "./stats/stream.ts";

/** What a handler gets. */
export interface Call {
  readonly control: Control;
  readonly metrics: Metrics;
  readonly history: History;
  readonly streams: Streams;
  /** From the path: `:name` → params.name. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly body: Body;
  /** The header field of that name. */
  readonly accept: string;
  /** Null on open routes. */
  readonly caller: Caller | null;
}

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer without an end: whoever gave it writes it, head included. */
export interface StreamReply {
  stream(response: ServerResponse): void;
}

export interface AdminRoute {
  /** GET only looks (HEAD comes with it); POST changes something: admin user, same origin, audited. */
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Needs no credentials. */
  readonly open?: true;
  /** A page for people: its errors are pages, too. */
  readonly page?: true;
  run(call: Call): Reply | StreamReply | Promise<Reply>;
}

export function json(status: number, value: unknown): Reply {
  return { status, type: "application/json", body: `${JSON.stringify(value)}\n` };
}

/** The bytes of a request, read as what its Content-Type says. */
export class Body {
  readonly #bytes: Buffer;
  readonly #type: string;

  constructor(bytes: Buffer, contentType: string | undefined) {
    this.#bytes = bytes;
    this.#type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  }

  /** A JSON object; `{}` without a body. Throws bad_request, which never quotes the body. */
  json(): Readonly<Record<string, unknown>> {
    if (this.#bytes.length === 0) return {};
    if (this.#type !== "application/json")
      throw badRequest("Content-Type application/json", this.#type || "none");
    let value: unknown;
    try {
      value = JSON.parse(this.#bytes.toString("utf8"));
    } catch {
      throw badRequest("a body in JSON", "something else");
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw badRequest(
        "a JSON object",
        Array.isArray(value) ? "a list" : String(value === null ? null : typeof value),
      );
    }
    return value as Record<string, unknown>;
  }

  form(): URLSearchParams {
    if (this.#bytes.length === 0) return new URLSearchParams();
    const form = "application/x-www-form-urlencoded";
    if (this.#type !== form) throw badRequest(`Content-Type ${form}`, this.#type || "none");
    return new URLSearchParams(this.#bytes.toString("utf8"));
  }
}

export function badRequest(expected: string, got: string): LbError {
  return new LbError("bad_request", `expected ${expected}, got ${got.slice(0, 100)}`);
}

interface Compiled extends AdminRoute {
  readonly pattern: RegExp;
  readonly names: readonly string[];
}

export interface Found {
  readonly route: AdminRoute;
  readonly params: Readonly<Record<string, string>>;
}

/** Finds routes by method and path. */
export class AdminRoutes {
  readonly #routes: readonly Compiled[];

  constructor(routes: readonly AdminRoute[]) {
    this.#routes = routes.map(compile);
  }

  /** The route; or unknown_path or method_not_allowed, to be thrown once the caller is known. */
  find(method: string, path: string): Found | LbError {
    const matching = this.#routes.filter(({ pattern }) => pattern.test(path));
    if (matching.length === 0)
      return new LbError("unknown_path", `expected a path of the admin API, got ${path.slice(0, 100)}`);
    const wanted = method === "HEAD" ? "GET" : method;
    const route = matching.find((one) => one.method === wanted);
    if (route !== undefined) return { route, params: paramsOf(route, path) };
    const allow = matching.map((one) => (one.method === "GET" ? "GET, HEAD" : one.method)).join(", ");
    return new LbError("method_not_allowed", `expected ${allow}, got ${method}`, { extra: { allow } });
  }
}

function compile(route: AdminRoute): Compiled {
  const names = [...route.path.matchAll(/:([a-z]+)/g)].map(([, name]) => name as string);
  const source = route.path.replaceAll(".", "\\.").replace(/:[a-z]+/g, "([^/]+)");
  return { ...route, names, pattern: new RegExp(`^${source}$`) };
}

function paramsOf({ pattern, names }: Compiled, path: string): Record<string, string> {
  const [, ...values] = pattern.exec(path) ?? [];
  return Object.fromEntries(names.map((name, index) => [name, decoded(values[index] ?? "")]));
}

/** What can't be decoded stays as it is: no node has such a name. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

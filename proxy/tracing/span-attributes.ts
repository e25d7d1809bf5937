/**
 * What spans say: OpenTelemetry's HTTP conventions (the stable ones), and our own `lb.*`. No query string, no header
 * field but Host, no body.
 */

import type { Attributes } from "@opentelemetry/api";
import type { AccessLine } from "../access-line.ts";
import type { RouteConfig } from "../config/config.ts";
import type { Inspected } from "../http/framing.ts";
import { fieldValues } from "../http/headers.ts";
import { pathOf } from "../log.ts";

/** Known to the conventions; any other is _OTHER, so that their number is bounded. */
const METHODS = new Set([
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
  "QUERY",
]);

export function requestAttributes({ method, path, peer, headers }: Inspected, scheme: string): Attributes {
  return {
    ...methodAttributes(method),
    ...hostAttributes(fieldValues(headers, "host")[0] ?? "", scheme),
    "url.scheme": scheme,
    "url.path": path,
    "client.address": peer,
    "network.protocol.version": "1.1",
  };
}

/** What is known when the reply is over. */
export function replyAttributes({ status, route, node, seq, code }: AccessLine): Attributes {
  return {
    ...(status === 0 ? {} : { "http.response.status_code": status }),
    ...(route === null ? {} : { "lb.route": route }),
    ...(node === undefined ? {} : { "lb.node": node }),
    ...(seq === undefined ? {} : { "lb.seq": seq }),
    ...(status === 0 || status >= 500
      ? { "error.type": code ?? (status === 0 ? "client_left" : String(status)) }
      : {}),
  };
}

/** The path as the route has it, where it names whole paths: then there are few. */
export function routeTemplate(route: RouteConfig | undefined, path: string): string | undefined {
  const same = route?.caseSensitive ? (text: string) => text : (text: string) => text.toLowerCase();
  return route?.match.paths?.find((one) => same(one) === same(path));
}

export interface LegFacts {
  readonly node: string;
  /** http://host:port */
  readonly url: string;
  readonly method: string;
  readonly target: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly seq?: number;
}

export function legAttributes({ node, url, method, target, attempt, seq }: LegFacts): Attributes {
  return {
    ...methodAttributes(method),
    ...hostAttributes(new URL(url).host, "http"),
    "url.full": url + pathOf(target),
    "network.protocol.version": "1.1",
    "lb.node": node,
    "lb.attempt": attempt,
    ...(attempt > 1 ? { "http.request.resend_count": attempt - 1 } : {}),
    ...(seq === undefined ? {} : { "lb.seq": seq }),
  };
}

/** For span names. */
export function methodName(method: string): string {
  return METHODS.has(method) ? method : "HTTP";
}

function methodAttributes(method: string): Attributes {
  if (METHODS.has(method)) return { "http.request.method": method };
  return { "http.request.method": "_OTHER", "http.request.method_original": method };
}

function hostAttributes(host: string, scheme: string): Attributes {
  const [, name = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  return {
    "server.address": name.replace(/^\[|\]$/g, ""),
    "server.port": port ? Number(port) : scheme === "https" ? 443 : 80,
  };
}

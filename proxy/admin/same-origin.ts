import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { LbError } from "../errors.ts";

/**
 * A browser sends an operator's password along with whatever another site makes it send; so a call that changes
 * something has to come from our own page. Clients that are no browsers (curl, lbctl) send neither header.
 * Origin's scheme does not count: a proxy in front may have ended TLS.
 * Throws cross_site. Must be called for every method but GET and HEAD.
 */
export function refuseCrossSite({ headers }: IncomingMessage): void {
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin") {
    throw new LbError("cross_site", `expected a call from the same origin, got one marked ${quoted(site)}`);
  }
  const { origin, host = "" } = headers;
  if (origin !== undefined && origin.toLowerCase().replace(/^https?:\/\//, "") !== host.toLowerCase()) {
    throw new LbError("cross_site", `expected an Origin of ${quoted(host)}, got ${quoted(origin)}`);
  }
}

/**
 * A listener on a loopback address has no public name: one that another site made point here (DNS rebinding)
 * is refused. Throws wrong_host.
 */
export function refuseWrongHost({ headers, socket }: IncomingMessage): void {
  if (!isLoopback(socket.localAddress ?? "")) return;
  const name = (headers.host ?? "")
    .toLowerCase()
    .replace(/:\d*$/, "")
    .replace(/^\[|\]$/g, "");
  if (isIP(name) !== 0 || name === "localhost" || name.endsWith(".localhost")) return;
  throw new LbError("wrong_host", `expected Host to be localhost or an address, got ${quoted(name)}`);
}

function isLoopback(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\./.test(address);
}

function quoted(text: unknown): string {
  return String(text).slice(0, 100);
}

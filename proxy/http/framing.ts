/**
 * Decides, in one pass over a request's header fields, whether it means one thing only, and makes what the
 * nodes get. node:http (llhttp) has refused much by then (obs-fold, bare LF, Content-Length twice or with
 * Transfer-Encoding, control characters); what it lets through and servers disagree on is refused here.
 * docs/adr/0003-http.md lists both halves.
 */

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { LbError, toLbError } from "../errors.ts";
import * as field from "./headers.ts";
import { type Peer, Peers } from "./peer.ts";
import { originTarget, pathOf } from "./target.ts";

/** A request that is fit to be forwarded. */
export interface Inspected {
  readonly method: string;
  /** Origin form: path and query, as received; or "*" (OPTIONS only). */
  readonly target: string;
  /** The target without its query. */
  readonly path: string;
  /** Flat list for the nodes: hop-by-hop fields and `lb-*` gone, Host, X-Forwarded-*, X-Request-Id and lb-via set. */
  readonly headers: string[];
  readonly hasBody: boolean;
  /** Bytes; null where there is no body or it is chunked. */
  readonly contentLength: number | null;
  readonly requestId: string;
  /** The client waits for 100 Continue before it sends the body: `response.writeContinue()` asks for it. */
  readonly expectsContinue: boolean;
  /** The client's address; from a trusted proxy, that proxy's own. */
  readonly peer: string;
}

/** What an inspector goes by. */
export interface InspectorOptions {
  readonly trustedProxies: readonly string[];
  readonly scheme: "http" | "https";
  /** Tells this balancer's requests to nodes from all others; a token, the same after a restart. */
  readonly mark: string;
}

/** No lists, no userinfo, no percent-encoding: names and addresses, and a port. */
const HOST = /^(?:[\w.~-]+|\[[\da-f:.]+\])(?::\d{0,5})?$/i;
const CONTENT_LENGTH = /^\d{1,15}$/;
/** limits.header counts names and values alone (as llhttp does), so that many tiny fields would get past it. */
const MAX_FIELDS = 1000;
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** Inspects the requests of one listener. */
export class Inspector {
  readonly #scheme: "http" | "https";
  readonly #mark: string;
  readonly #peers: Peers;
  /** Unique to this process; a UUID for each request would cost five times as much. */
  readonly #idPrefix = randomBytes(9).toString("base64url");
  #ids = 0;
  /** Most requests are for the same host. */
  #lastHost = "";

  constructor(options: InspectorOptions) {
    this.#scheme = options.scheme;
    this.#mark = options.mark;
    this.#peers = new Peers(options.trustedProxies);
  }

  /** The request as the nodes get it, or why it is refused. */
  inspect(request: IncomingMessage): Inspected | LbError {
    try {
      return this.#inspect(request);
    } catch (error) {
      return toLbError(error);
    }
  }

  #inspect(request: IncomingMessage): Inspected {
    const old = isHttp10(request);
    const fields = new Fields(request.rawHeaders);
    fields.checkFraming(old);
    const via = this.#via(fields.via);
    const host = this.#host(fields.host, old, request);
    const method = request.method as string;
    const target = originTarget(request.url as string, method, this.#scheme, host);
    const peer = this.#peers.of(request.socket);
    const requestId = this.#requestId(fields.requestId);
    const headers = fields.forNodes(host, requestId);
    addForwarded(headers, fields, peer, this.#scheme, host);
    headers.push("lb-via", via);
    return {
      method,
      target,
      path: pathOf(target),
      headers,
      hasBody: fields.isChunked || (fields.length ?? 0) > 0,
      contentLength: fields.length,
      requestId,
      expectsContinue: fields.expect !== null && !old,
      peer: peer.address,
    };
  }

  /** RFC 9112 §3.2: exactly one Host; an HTTP/1.0 client may leave it out, and means this address. */
  #host(given: string | null, old: boolean, { socket }: IncomingMessage): string {
    if (given !== null && given === this.#lastHost) return given;
    if (given === null) {
      if (!old) throw new LbError("bad_framing", "expected a Host field, got none");
      const address = socket.localAddress ?? "localhost";
      return `${address.includes(":") ? `[${address}]` : address}:${socket.localPort ?? 80}`;
    }
    if (!HOST.test(given))
      throw new LbError("bad_framing", "expected Host to be one host and port, got other text");
    this.#lastHost = given;
    return given;
  }

  /** The balancers that it came through, this one included; one that was here before goes round in a circle. */
  #via(given: string | null): string {
    if (given === null) return this.#mark;
    if (given.split(",").some((mark) => mark.trim() === this.#mark)) {
      throw new LbError("loop_detected", "expected a request from a client, got one that was sent to a node");
    }
    return joined(given, this.#mark);
  }

  #requestId(given: string | null): string {
    if (given !== null && REQUEST_ID.test(given)) return given;
    this.#ids += 1;
    return `${this.#idPrefix}-${this.#ids.toString(36)}`;
  }
}

function isHttp10(request: IncomingMessage): boolean {
  if (request.httpVersionMajor === 1 && request.httpVersionMinor === 1) return false;
  if (request.httpVersionMajor === 1 && request.httpVersionMinor === 0) return true;
  throw new LbError("bad_version", `expected HTTP/1.1 or HTTP/1.0, got HTTP/${request.httpVersion}`);
}

/** A request's header fields, sorted: those that go on as they are, and those that something hangs on. */
class Fields {
  host: string | null = null;
  length: number | null = null;
  isChunked = false;
  expect: string | null = null;
  requestId: string | null = null;
  via: string | null = null;
  forwardedFor: string | null = null;
  forwardedProto: string | null = null;
  forwardedHost: string | null = null;
  forwarded: string | null = null;
  /** x-real-ip, other x-forwarded-*: flat. */
  forwardedOther: string[] | null = null;
  /** What goes on as it is; host and request id have their places at the front. */
  readonly #kept: string[] = ["Host", "", "X-Request-Id", ""];
  #named: Set<string> | null = null;
  #upgrade: string | null = null;
  #requestIds = 0;

  constructor(raw: readonly string[]) {
    if (raw.length > 2 * MAX_FIELDS) {
      throw new LbError(
        "header_too_large",
        `expected at most ${MAX_FIELDS} header fields, got ${raw.length / 2}`,
      );
    }
    for (let at = 0; at + 1 < raw.length; at += 2) {
      const name = raw[at] as string;
      const kind = field.fieldKind(name);
      if (kind === field.KEEP) this.#kept.push(name, raw[at + 1] as string);
      else if (kind !== field.DROP) this.#take(kind, name, raw[at + 1] as string);
    }
  }

  #take(kind: number, name: string, value: string): void {
    switch (kind) {
      case field.HOST:
        if (this.host !== null) throw new LbError("bad_framing", "expected one Host field, got several");
        this.host = value;
        break;
      case field.CONNECTION:
        if (value === "keep-alive" || value === "Keep-Alive" || value === "close") break;
        this.#named ??= new Set();
        field.connectionNames(value, this.#named);
        break;
      case field.CONTENT_LENGTH:
        this.#takeLength(value);
        break;
      case field.TRANSFER_ENCODING:
        this.#takeTransferEncoding(value);
        break;
      case field.EXPECT:
        this.expect = this.expect === null ? value : `${this.expect}, ${value}`;
        break;
      case field.UPGRADE:
        this.#upgrade = value;
        break;
      case field.VIA:
        this.via = joined(this.via, value);
        break;
      case field.REQUEST_ID:
        this.#requestIds += 1;
        this.requestId = this.#requestIds === 1 ? value : null;
        break;
      default:
        this.#takeForwarded(kind, name, value);
    }
  }

  #takeLength(value: string): void {
    if (this.length !== null) throw new LbError("bad_framing", "expected one Content-Length, got several");
    if (!CONTENT_LENGTH.test(value))
      throw new LbError("bad_framing", "expected Content-Length to be a number");
    this.length = Number(value);
    this.#kept.push("Content-Length", String(this.length));
  }

  /** "gzip, chunked" is valid HTTP, but no two servers do the same with it. */
  #takeTransferEncoding(value: string): void {
    if (this.isChunked || value.toLowerCase() !== "chunked") {
      throw new LbError("bad_framing", "expected Transfer-Encoding to be chunked and nothing else");
    }
    this.isChunked = true;
  }

  #takeForwarded(kind: number, name: string, value: string): void {
    if (kind === field.FORWARDED_FOR) this.forwardedFor = joined(this.forwardedFor, value);
    else if (kind === field.FORWARDED) this.forwarded = joined(this.forwarded, value);
    else if (kind === field.FORWARDED_PROTO) this.forwardedProto = value;
    else if (kind === field.FORWARDED_HOST) this.forwardedHost = value;
    else {
      this.forwardedOther ??= [];
      this.forwardedOther.push(name, value);
    }
  }

  checkFraming(old: boolean): void {
    if (this.isChunked && old) {
      throw new LbError("bad_framing", "expected no Transfer-Encoding on HTTP/1.0, got one");
    }
    if (this.isChunked && this.length !== null) {
      throw new LbError("bad_framing", "expected Content-Length or Transfer-Encoding, got both");
    }
    if (this.expect !== null && this.expect.toLowerCase() !== "100-continue") {
      throw new LbError("expectation_failed", "expected Expect to be 100-continue, got something else");
    }
    if (this.#named !== null) this.#checkNamed(this.#named);
  }

  #checkNamed(named: ReadonlySet<string>): void {
    if (named.has("host") || named.has("content-length")) {
      throw new LbError("bad_framing", "expected Connection not to name Host or Content-Length");
    }
    // h2c may be ignored, and is offered by common clients (Java's) with every plain request; for other
    // protocols an answer over HTTP/1.1 would not be what the client can use.
    if (this.#upgrade !== null && named.has("upgrade") && this.#upgrade.toLowerCase() !== "h2c") {
      throw new LbError("upgrade_refused", "expected no Upgrade, got one");
    }
  }

  forNodes(host: string, requestId: string): string[] {
    const kept = this.#kept;
    kept[1] = host;
    kept[3] = requestId;
    if (this.#named === null || this.#named.size === 0) return kept;
    this.#named.delete("x-request-id");
    return field.withoutNamed(kept, this.#named);
  }
}

function joined(first: string | null, next: string): string {
  return first === null ? next : `${first}, ${next}`;
}

/** Appends to what a trusted proxy said; says it anew for everyone else. */
function addForwarded(headers: string[], fields: Fields, peer: Peer, scheme: string, host: string): void {
  if (!peer.trusted) {
    headers.push("X-Forwarded-For", peer.address, "X-Forwarded-Proto", scheme, "X-Forwarded-Host", host);
    return;
  }
  headers.push(
    "X-Forwarded-For",
    joined(fields.forwardedFor, peer.address),
    "X-Forwarded-Proto",
    fields.forwardedProto ?? scheme,
    "X-Forwarded-Host",
    fields.forwardedHost ?? host,
  );
  if (fields.forwarded !== null) headers.push("Forwarded", joined(fields.forwarded, forwardedElement(peer)));
  if (fields.forwardedOther !== null) headers.push(...fields.forwardedOther);
}

/** RFC 7239 §6: an IPv6 address in brackets, and so in quotes. */
function forwardedElement({ address }: Peer): string {
  return address.includes(":") ? `for="[${address}]"` : `for=${address}`;
}

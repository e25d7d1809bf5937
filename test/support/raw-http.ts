/** Bytes on a socket, for what an HTTP client would never send. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { until } from "./wait.ts";

/** One answer as it came. */
export interface RawAnswer {
  readonly status: number;
  readonly version: string;
  readonly reason: string;
  /** Lower-case names; the last value where one came twice. */
  readonly headers: Readonly<Record<string, string>>;
  /** The fields' lines as they came. */
  readonly lines: readonly string[];
  /** Decoded where it was chunked. */
  readonly body: string;
}

/** A connection on which whole answers are waited for. */
export class RawConnection {
  readonly socket: Socket;
  /** All that came and was not taken as an answer yet (latin1). */
  received = "";
  /** The other side closed, or cut. */
  closed = false;
  /** The other side broke the connection off, rather than ending it. */
  wasReset = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.wasReset ||= error.code === "ECONNRESET";
    });
    socket.on("end", () => {
      this.closed = true;
    });
    socket.on("close", () => {
      this.closed = true;
    });
  }

  /** Sends latin1 text as bytes. */
  send(text: string): this {
    this.socket.write(Buffer.from(text, "latin1"));
    return this;
  }

  /** The next answer; `head`: it has no body whatever its fields say. */
  async answer({ head = false, timeout = 5000 } = {}): Promise<RawAnswer> {
    const found = await until(() => parseAnswer(this.received, this.closed, head), {
      timeout,
      what: "a whole answer on the socket",
    });
    this.received = this.received.slice(found.length);
    return found.answer;
  }

  /** Resolves when the other side has closed. */
  async waitClosed(timeout = 5000): Promise<void> {
    await until(() => this.closed, { timeout, what: "the connection to be closed" });
  }

  end(): void {
    this.socket.destroy();
  }
}

/** Connects to a port of this machine. */
export async function rawConnect(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return new RawConnection(socket);
}

/** Sends bytes on a connection of their own and gives the answer. */
export async function rawRequest(
  port: number,
  text: string,
  options: { head?: boolean } = {},
): Promise<RawAnswer> {
  const connection = await rawConnect(port);
  try {
    return await connection.send(text).answer(options);
  } finally {
    connection.end();
  }
}

function parseAnswer(text: string, closed: boolean, head: boolean) {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const [, version = "", code = "", reason = ""] = /^HTTP\/(\d\.\d) (\d{3}) ?(.*)/.exec(first) ?? [];
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const status = Number(code);
  const bodiless = head || status < 200 || status === 204 || status === 304;
  const body = bodiless ? { body: "", length: 0 } : parseBody(text.slice(end + 4), headers, closed);
  if (!body) return null;
  const answer: RawAnswer = { status, version, reason, headers, lines, body: body.body };
  return { answer, length: end + 4 + body.length };
}

function parseBody(text: string, headers: Record<string, string>, closed: boolean) {
  const length = headers["content-length"];
  if (length !== undefined) {
    return text.length < Number(length)
      ? null
      : { body: text.slice(0, Number(length)), length: Number(length) };
  }
  if (headers["transfer-encoding"] === "chunked") return parseChunks(text);
  return closed ? { body: text, length: text.length } : null;
}

function parseChunks(text: string) {
  let body = "";
  for (let at = 0; ; ) {
    const line = text.indexOf("\r\n", at);
    if (line < 0) return null;
    const size = Number.parseInt(text.slice(at, line), 16);
    const next = line + 2 + size + 2;
    if (text.length < next) return null;
    if (size === 0) return { body, length: next };
    body += text.slice(line + 2, line + 2 + size);
    at = next;
  }
}

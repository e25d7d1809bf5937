/** Answers on the bare socket, for requests that node:http could not even read. */

import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ErrorCode, LbError, statusFor } from "../errors.ts";
import { problemBody, problemHeaders } from "./problem.ts";

/** Why a request could not be read; null where nobody is left to be told. */
export function clientError(
  error: NodeJS.ErrnoException & { reason?: string },
  inBody: boolean,
): LbError | null {
  const code = error.code ?? "";
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    return inBody
      ? new LbError("body_timeout", "expected the whole body in time, got a part of it")
      : new LbError("request_timeout", "expected the request's head in time, got a part of it");
  }
  if (!code.startsWith("HPE_") || code === "HPE_INVALID_EOF_STATE") return null;
  const why = reason(error);
  // The version is fine there: it is the line's end that is not CR LF.
  const ours = why === "Expected CRLF after version" ? "bad_framing" : PARSER_CODES[code];
  return new LbError(ours ?? "bad_framing", `expected a valid HTTP/1.1 request, got: ${why}`);
}

/** llhttp's errors that have a code of their own here; all others are bad_framing. */
const PARSER_CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: "header_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "body_too_large",
  HPE_INVALID_URL: "bad_target",
  HPE_INVALID_VERSION: "bad_version",
  HPE_PAUSED_H2_UPGRADE: "bad_version",
};

function reason({ reason, code }: { reason?: string; code?: string }): string {
  return reason ?? code ?? "something else";
}

/** Writes a problem as a whole HTTP/1.1 answer, and closes. */
export function answerOnSocket(socket: Duplex, error: LbError): void {
  const body = problemBody(error);
  const status = statusFor(error.code);
  const fields = problemHeaders(error, body);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nDate: ${new Date().toUTCString()}\r\n`;
  for (let at = 0; at < fields.length; at += 2) head += `${fields[at]}: ${fields[at + 1]}\r\n`;
  socket.write(`${head}Connection: close\r\n\r\n${body}`);
  closeSoftly(socket);
}

/** How long a client may take to notice that it is being turned away. */
const LINGER = 1000;

/**
 * Ends our side and lets the other's bytes run dry for a moment. A plain close with bytes unread makes the
 * kernel send a reset, which throws away the answer before the client has read it (RFC 9112 §9.6).
 * To be used wherever an answer goes out before the whole request has come in.
 */
export function closeSoftly(socket: Duplex): void {
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER);
  socket.once("close", () => clearTimeout(timer));
}

/** Makes node:http close the connection softly behind an answer that has Connection: close. */
export function closeSoftlyAfterAnswer(socket: Socket): void {
  // The method that node:http calls when such an answer is out.
  socket.destroySoon = () => closeSoftly(socket);
}

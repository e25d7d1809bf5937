import type { IncomingMessage, ServerResponse } from "node:http";
import { LbError } from "../errors.ts";
import type { Inspected } from "./framing.ts";
import { wantBody } from "./http-server.ts";

/**
 * The whole body of a write, in memory. Rejects with LbError: body_too_large (before a byte is read where
 * Content-Length says so), body_timeout, client_left.
 * @param most bytes; `timeout`: ms for the whole body
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  inspected: Inspected,
  { most, timeout }: { most: number; timeout: number },
): Promise<Buffer> {
  if (!inspected.hasBody) return Promise.resolve(Buffer.alloc(0));
  if ((inspected.contentLength ?? 0) > most) return Promise.reject(tooLarge(most, inspected.contentLength));
  wantBody(response, inspected);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const over = (error: LbError | null) => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onClose);
      if (error === null) resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks));
      else reject(error);
    };
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size > most) over(tooLarge(most, null));
    };
    const onEnd = () => over(null);
    const onClose = () => over(new LbError("client_left", "the client left before its request was complete"));
    const timer = setTimeout(() => {
      over(new LbError("body_timeout", `expected the whole body within ${timeout} ms, got ${size} bytes`));
    }, timeout);
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}

function tooLarge(most: number, came: number | null): LbError {
  const detail = `expected at most ${most} bytes, got ${came ?? "more"}`;
  return new LbError("body_too_large", detail, { extra: { limit: "limits.body" } });
}

import type { ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Reply, StreamReply } from "./admin-route.ts";

const zip = promisify(gzip);
/** Smaller answers are not worth it. */
const LEAST_ZIPPED = 4096;
/** Fast rather than small: the history of nine nodes is 0.6 MB of mostly similar numbers. */
const LEVEL = 2;

/** Sends an answer, compressed where the client takes it (off the main thread); a stream writes itself. */
export async function send(response: ServerResponse, reply: Reply | StreamReply): Promise<void> {
  if ("stream" in reply) {
    reply.stream(response);
    return;
  }
  const { status, type, body, headers } = reply;
  const zipped = body.length >= LEAST_ZIPPED && takesGzip(response);
  const bytes = zipped ? await zip(body, { level: LEVEL }) : Buffer.from(body);
  const encoding = zipped ? { "Content-Encoding": "gzip" } : {};
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": bytes.length,
    Vary: "Accept-Encoding",
    ...encoding,
    ...headers,
  });
  response.end(bytes);
}

function takesGzip({ req }: ServerResponse): boolean {
  return /\bgzip\b(?!\s*;\s*q=0(\.0*)?(,|$))/i.test(String(req.headers["accept-encoding"] ?? ""));
}

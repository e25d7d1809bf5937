/** App servers that answer with bytes as a test wrote them: what is allowed, or odd, and no HTTP library sends. */

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

export interface RawNode {
  readonly url: string;
  /** "GET /path" of each request, in order. */
  readonly log: readonly string[];
}

/** Bytes, after which the node's side of the connection ends, or the connection is reset. */
export interface LastAnswer {
  readonly text: string;
  readonly end: "fin" | "reset";
}

/** A whole answer that is nothing special. */
export const PLAIN = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** @param answers by path, latin1; any other path gets a plain 200. To HEAD the head alone is sent. */
export async function startRawNode(
  t: TestContext,
  answers: Readonly<Record<string, string | LastAnswer>>,
): Promise<RawNode> {
  const log: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
    serve(socket, (method, path) => {
      log.push(`${method} ${path}`);
      const answer = answers[path] ?? PLAIN;
      if (typeof answer !== "string") return answer;
      return method === "HEAD" ? answer.slice(0, answer.indexOf("\r\n\r\n") + 4) : answer;
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, log };
}

/** Takes requests with a Content-Length or without a body, one after the other. */
function serve(socket: Socket, answer: (method: string, path: string) => string | LastAnswer): void {
  let received = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    received += text;
    for (;;) {
      const end = received.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = received.slice(0, end);
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (received.length < end + 4 + length) return;
      received = received.slice(end + 4 + length);
      const [method = "", path = ""] = head.split(" ");
      send(socket, answer(method, path));
    }
  });
}

function send(socket: Socket, answer: string | LastAnswer): void {
  const { text, end } = typeof answer === "string" ? { text: answer, end: null } : answer;
  socket.write(Buffer.from(text, "latin1"), () => {
    if (end === "fin") socket.end();
    else if (end === "reset") socket.resetAndDestroy();
  });
}

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

/** Another address of a server that may not be there yet, as NAT or a second name gives one. */
export interface Forwarder {
  readonly url: string;
  /** Where connections go from now on; until then they stay open and nothing comes. */
  leadTo(url: string): void;
}

/** Passes bytes on, both ways; stopped when the test ends. */
export async function startForwarder(t: TestContext): Promise<Forwarder> {
  let port: number | null = null;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (port === null) keep(sockets, socket);
    else join(keep(sockets, socket), keep(sockets, connect(port, "127.0.0.1")));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    leadTo: (url) => {
      port = Number(new URL(url).port);
    },
  };
}

function keep(sockets: Set<Socket>, socket: Socket): Socket {
  sockets.add(socket);
  return socket.on("error", () => {}).on("close", () => sockets.delete(socket));
}

function join(one: Socket, other: Socket): void {
  one.pipe(other).on("close", () => one.destroy());
  other.pipe(one).on("close", () => other.destroy());
}

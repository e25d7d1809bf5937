import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Listens on a free port of loopback. */
export async function listenAnywhere(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The line that whoever started this process waits for. */
export function sayReady(urls: readonly string[]): void {
  process.stdout.write(`ready ${urls.join(" ")}\n`);
}

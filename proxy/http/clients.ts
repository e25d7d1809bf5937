import type { Socket } from "node:net";
import { setTimeout } from "node:timers/promises";

/** Clients' connections, and the bytes on them as they are on the wire (heads and TLS included). */
export class Clients {
  /** Since the start. */
  accepted = 0;
  readonly #open = new Set<Socket>();
  #closedIn = 0;
  #closedOut = 0;

  /** To be called with each connection, before TLS. */
  add(socket: Socket): void {
    this.accepted++;
    this.#open.add(socket);
    socket.once("close", () => {
      this.#open.delete(socket);
      this.#closedIn += socket.bytesRead;
      this.#closedOut += socket.bytesWritten;
    });
  }

  get open(): number {
    return this.#open.size;
  }

  /** Waits until all that are open now have closed, or `timeout` ms; gives those that have not. */
  async outlast(timeout: number): Promise<Socket[]> {
    const now = [...this.#open];
    const ends = now.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    const over = new AbortController();
    await Promise.race([
      Promise.all(ends),
      setTimeout(timeout, undefined, { signal: over.signal }).catch(() => {}),
    ]);
    over.abort();
    return now.filter((socket) => this.#open.has(socket));
  }

  /** Bytes from and to clients since the start. */
  bytes(): { in: number; out: number } {
    const bytes = { in: this.#closedIn, out: this.#closedOut };
    for (const socket of this.#open) {
      bytes.in += socket.bytesRead;
      bytes.out += socket.bytesWritten;
    }
    return bytes;
  }
}

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

  /** Resolves when all that are open now have closed, or after `timeout` ms. */
  async outlast(timeout: number): Promise<void> {
    const ends = [...this.#open].map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    const over = new AbortController();
    await Promise.race([
      Promise.all(ends),
      setTimeout(timeout, undefined, { signal: over.signal }).catch(() => {}),
    ]);
    over.abort();
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

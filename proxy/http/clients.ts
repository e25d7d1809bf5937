import type { Socket } from "node:net";

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

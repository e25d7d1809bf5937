import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { LbError } from "../errors.ts";

/** The body of a client's request on its way to a node. Bounded, and it knows whom it waits for. */
export class LimitedBody {
  /** The client owes what comes next; otherwise the node has not taken what is there. */
  waitsForClient = false;
  /** What the node is sent; it fails with body_too_large beyond the limit. */
  readonly stream: Readable;
  readonly #request: IncomingMessage;
  readonly #most: number;
  readonly #ended: () => void;

  /** @param most bytes; `ended`: all of it has come */
  constructor(request: IncomingMessage, most: number, ended: () => void) {
    this.#request = request;
    this.#most = most;
    this.#ended = ended;
    this.stream = Readable.from(this.#chunks());
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    let size = 0;
    // The request must outlive the attempt: its connection still carries the answer.
    const chunks: AsyncIterable<Buffer> = this.#request.iterator({ destroyOnReturn: false });
    this.waitsForClient = true;
    for await (const chunk of chunks) {
      size += chunk.byteLength;
      if (size > this.#most) throw bodyTooLarge(`expected at most ${this.#most} bytes, got more`);
      this.waitsForClient = false;
      yield chunk;
      this.waitsForClient = true;
    }
    this.waitsForClient = false;
    this.#ended();
  }
}

export function bodyTooLarge(detail: string): LbError {
  return new LbError("body_too_large", detail, { extra: { limit: "limits.readBody" } });
}

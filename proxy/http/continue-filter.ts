import type { Readable } from "node:stream";

const NONE: Buffer = Buffer.alloc(0);
/** Bytes of "HTTP/1.1 100": as far as the status is told. */
const STATUS_END = 12;
const UNDECIDED = -1;

/**
 * Takes `100 Continue` out of what one connection to a node brings. Requests go to nodes without Expect, and RFC 9110
 * §15.2 wants a client to bear with a 1xx all the same; undici ends the connection at a 100. Looks at the start of
 * each answer alone: in a body the same bytes are a body's.
 */
export class ContinueFilter {
  readonly #mostHead: number;
  #atStart = false;
  /** The beginning of a head that is not there in whole. */
  #held = NONE;

  /** @param mostHead bytes of a head that are waited for */
  constructor(mostHead: number) {
    this.#mostHead = mostHead;
  }

  /** A request goes out: the next byte that comes is the first of its answer. */
  expectAnswer(): void {
    this.#atStart = true;
  }

  /** Filters what is read from a new connection. For readers that call `read()`, as undici does. */
  watch(socket: Readable): void {
    this.#held = NONE;
    const read = socket.read.bind(socket);
    socket.read = (size?: number): Buffer | null => {
      const chunk: Buffer | null = read(size);
      return chunk !== null && this.#atStart ? this.take(chunk) : chunk;
    };
  }

  /** What of it goes on; null: nothing yet. */
  take(chunk: Buffer): Buffer | null {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = NONE;
    const kept: Buffer[] = [];
    while (this.#atStart && rest.length > 0) {
      const length = this.#interimLength(rest);
      if (length === UNDECIDED) {
        this.#held = rest;
        rest = NONE;
      } else if (length === 0) {
        this.#atStart = false;
      } else {
        if (!isContinue(rest)) kept.push(rest.subarray(0, length));
        rest = rest.subarray(length);
      }
    }
    if (kept.length === 0) return rest.length === 0 ? null : rest;
    return Buffer.concat([...kept, rest]);
  }

  /** Of the 1xx head that the bytes begin with; 0: it is another head. */
  #interimLength(bytes: Buffer): number {
    if (bytes.length < STATUS_END) return UNDECIDED;
    if (bytes[9] !== 0x31 || bytes.toString("latin1", 0, 7) !== "HTTP/1.") return 0;
    const end = bytes.indexOf("\r\n\r\n");
    if (end >= 0) return end + 4;
    return bytes.length > this.#mostHead ? 0 : UNDECIDED;
  }
}

function isContinue(bytes: Buffer): boolean {
  return bytes[10] === 0x30 && bytes[11] === 0x30;
}

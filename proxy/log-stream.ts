import { write, writeSync } from "node:fs";

/** Lines are held back for this long, so that many go out in one write: one each costs a request 5–15 µs. */
const WAIT = 200;
/** Held back at most, in bytes; lines beyond it are dropped, and counted: nobody reads the other end. */
const MAX_BYTES = 1024 * 1024;
/** So much is written without waiting any longer, in bytes. */
const ENOUGH = 64 * 1024;
/** Of one character in UTF-8, counted as JavaScript counts them: so much room is enough without looking. */
const MAX_CHARACTER = 3;

const NEWLINE = 0x0a;

/**
 * A file descriptor to log to, never waited for: a reader that is stuck must not stop the balancer.
 * A line becomes bytes at once: held as strings, all of them would be copied by each collection of garbage.
 * (pino's own destination does the same at twice the CPU a line; measured with 4,000 lines/s.)
 */
export class LogStream {
  readonly #fd: number;
  readonly #dropped: () => void;
  #held = Buffer.allocUnsafeSlow(MAX_BYTES);
  #size = 0;
  /** What takes turns with `#held`. */
  #spare = Buffer.allocUnsafeSlow(MAX_BYTES);
  #writing = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(fd: number, dropped: () => void = () => {}) {
    this.#fd = fd;
    this.#dropped = dropped;
  }

  write(line: string): void {
    const room = MAX_BYTES - this.#size;
    if (line.length * MAX_CHARACTER > room && Buffer.byteLength(line) > room) {
      this.#dropped();
      return;
    }
    this.#size += this.#held.write(line, this.#size);
    if (this.#size >= ENOUGH) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), WAIT).unref();
  }

  /** What is held goes out now, without waiting. */
  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#writing || this.#size === 0) return;
    const full = this.#held.subarray(0, this.#size);
    [this.#held, this.#spare] = [this.#spare, this.#held];
    this.#size = 0;
    this.#writing = true;
    this.#push(full);
  }

  /**
   * For the process's end. A write that is under way is left to itself: it is finished before the process is
   * gone, and written here once more it would come twice. Gives up where the reader is stuck.
   */
  flushSync(): void {
    const rest = this.#held.subarray(0, this.#size);
    this.#size = 0;
    for (let at = 0; at < rest.length; ) {
      try {
        at += writeSync(this.#fd, rest, at);
      } catch {
        return;
      }
    }
  }

  /** A full disk, a reader that is gone: each line counts. */
  #lost(bytes: Buffer): void {
    for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) this.#dropped();
  }

  #push(bytes: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      if (error?.code === "EAGAIN") {
        setTimeout(() => this.#push(bytes), WAIT).unref();
        return;
      }
      const rest = bytes.subarray(written);
      if (error) this.#lost(bytes);
      else if (rest.length > 0) {
        this.#push(rest);
        return;
      }
      this.#writing = false;
      this.flush();
    });
  }
}

import type { ServerResponse } from "node:http";
import { fieldValues } from "./http/headers.ts";

/** Reason phrases that go on to the client. undici decodes them as UTF-8, so that others are not what was sent. */
const REASON = /^[\t\x20-\x7e]*$/;

/** Bodies up to so many bytes go out in one write with their head: a second buffer costs a read a tenth of its CPU. */
const SMALL = 16 * 1024;

/** A node's answer on its way to the client. Its head goes on with the first byte of its body. */
export class ReadAnswer {
  /** 0: its head is not there yet. */
  status = 0;
  /** The client's answer has begun: no other node can give it any more. */
  begun = false;
  #reason = "";
  #headers: string[] = [];
  #resume: () => void = () => {};
  /** All of its body, where that came in one small piece: it goes out with the head, in one write. */
  #whole = "";
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** @param resume asks the node for more, after `data` said that there is enough */
  head(status: number, reason: string, headers: string[], resume: () => void): void {
    this.status = status;
    this.#reason = reason;
    this.#headers = headers;
    this.#resume = resume;
  }

  /** False: the client has enough to read; `resume` is called when it wants more. */
  data(chunk: Buffer): boolean {
    if (this.#isAll(chunk)) {
      this.#whole = chunk.toString("latin1");
      return true;
    }
    this.begin();
    if (this.#response.write(chunk)) return true;
    this.#response.once("drain", this.#resume);
    return false;
  }

  /** A head whose body lets wait for itself (an event stream's) goes out alone. */
  flush(): void {
    this.begin();
    this.#response.flushHeaders();
  }

  begin(): void {
    if (this.begun) return;
    this.begun = true;
    const reason = REASON.test(this.#reason) ? this.#reason : "";
    this.#response.writeHead(this.status, reason, this.#headers);
  }

  end(): void {
    this.#response.end(this.#whole, "latin1");
  }

  /** A small body that is here as a whole. The node's length is what says so: an event stream is never held back. */
  #isAll({ byteLength }: Buffer): boolean {
    if (this.begun || byteLength > SMALL) return false;
    return fieldValues(this.#headers, "content-length")[0] === String(byteLength);
  }
}

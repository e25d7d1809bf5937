/** Answers that know when their connection can't be used any more. */

import { ServerResponse } from "node:http";
import { closeSoftlyAfterAnswer } from "./client-error.ts";

/** What is known of one connection. */
export interface Connection {
  /** The answer to the request that came last, sent or not. */
  latest: ServerResponse | null;
  /** Requests whose turn has not come. */
  waiting: number;
  /** Nothing more is taken from it. */
  closing: boolean;
}

/** A response that closes the connection where it can't be used afterwards. */
export class TrafficResponse extends ServerResponse {
  client: Connection | null = null;
  /** The client holds its body back until it is asked for it. */
  awaitsContinue = false;

  override writeContinue(callback?: () => void): void {
    this.awaitsContinue = false;
    super.writeContinue(callback);
  }

  override writeHead(status: number, ...rest: never[]): this {
    // Without 100 Continue nobody knows whether the next bytes are the body or another request.
    if (this.awaitsContinue) this.shouldKeepAlive = false;
    if (!this.shouldKeepAlive) this.#closeBehind();
    return super.writeHead(status, ...rest);
  }

  /** What the client sends behind this request is not for us any more. */
  #closeBehind(): void {
    if (this.client !== null) this.client.closing = true;
    if (!this.req.complete) closeSoftlyAfterAnswer(this.req.socket);
  }
}

/** The class for one listener; all its answers close their connections while it drains. */
export function responseClass(draining: { readonly now: boolean }): typeof ServerResponse {
  class DrainingResponse extends TrafficResponse {
    override writeHead(status: number, ...rest: never[]): this {
      if (draining.now) this.shouldKeepAlive = false;
      return super.writeHead(status, ...rest);
    }
  }
  return DrainingResponse as unknown as typeof ServerResponse;
}

/**
 * Cuts an answer that has begun, so that nobody takes what came for the whole. To an HTTP/1.0 client the connection's
 * end may be the body's, unless it is a reset (TLS has its own end, which is not sent here).
 */
export function breakOff(response: ServerResponse): void {
  const { socket, req } = response;
  if (req.httpVersionMinor === 0 && socket !== null && !("encrypted" in socket)) socket.resetAndDestroy();
  else response.destroy();
}

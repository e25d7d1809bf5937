import type { Readable } from "node:stream";
import { type buildConnector, Client, type Dispatcher } from "undici";
import { ContinueFilter } from "./http/continue-filter.ts";

/** What a pool makes its clients with. */
export interface NodeClientOptions extends Client.Options {
  readonly connect: buildConnector.connector;
  readonly maxHeaderSize: number;
}

/** One connection to a node, for one request at a time: undici's, but for a 100 Continue that ends nothing. */
export class NodeClient extends Client {
  readonly #filter: ContinueFilter;

  constructor(origin: URL, options: NodeClientOptions) {
    const filter = new ContinueFilter(options.maxHeaderSize);
    super(origin, { ...options, connect: watched(options.connect, filter) });
    this.#filter = filter;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    this.#filter.expectAnswer();
    return super.dispatch(options, handler);
  }
}

function watched(connect: buildConnector.connector, filter: ContinueFilter): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      filter.watch(socket as Readable);
      callback(null, socket);
    });
}

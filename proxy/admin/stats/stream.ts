import type { ServerResponse } from "node:http";
import type { HistoryTick, StreamMessage } from "../../api.ts";
import type { Control } from "../../control.ts";
import { LbError } from "../../errors.ts";
import type { History } from "../../history/history.ts";
import type { Caller } from "../admin-auth.ts";
import { statsFragment } from "./page.ts";
import { viewOf } from "./view.ts";

/** Open stats pages; each has a connection for as long as it is looked at. */
export const MOST_STREAMS = 32;
/** What may wait for a reader that doesn't read; beyond it the stream ends, and goes on when it is asked for again. */
const MOST_QUEUED = 512 * 1024;
/** When the browser tries again (ms). */
const RETRY = 1000;

interface Stream {
  readonly response: ServerResponse;
  readonly caller: Caller | null;
}

/**
 * What is sampled each second, sent to whoever looks (server-sent events). Each message is a sample and the page's
 * markup of that moment, made once for all readers of the same user; it is the heartbeat, too.
 */
export class Streams {
  readonly #control: Control;
  readonly #history: History;
  readonly #open = new Set<Stream>();
  #unsubscribe: (() => void) | null = null;

  constructor({ control, history }: { control: Control; history: History }) {
    this.#control = control;
    this.#history = history;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * Begins with what came after the sample `after` (Last-Event-ID goes before it, which browsers send when they come
   * again), or says `reset` when that can't be told any more. Throws too_many_streams.
   */
  open(response: ServerResponse, caller: Caller | null, after: string | null): void {
    if (this.#open.size >= MOST_STREAMS) {
      throw new LbError("too_many_streams", `expected at most ${MOST_STREAMS} open streams, got one more`);
    }
    const { headers, method } = response.req;
    response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8", Connection: "close" });
    if (method === "HEAD") {
      response.end();
      return;
    }
    const stream = { response, caller };
    response.write(`retry: ${RETRY}\n\n`);
    this.#catchUp(stream, String(headers["last-event-id"] ?? after ?? ""));
    this.#open.add(stream);
    response.once("close", () => this.#forget(stream));
    this.#unsubscribe ??= this.#history.onTick((tick) => this.#tell(tick));
  }

  /** Ends every stream; browsers come again by themselves, and sign in anew. */
  closeAll(): void {
    for (const { response } of this.#open) response.end();
  }

  #catchUp({ response, caller }: Stream, after: string): void {
    const missed = this.#history.after(after);
    if (missed === null) response.write("event: reset\ndata: {}\n\n");
    for (const tick of missed?.slice(0, -1) ?? []) response.write(message(tick, ""));
    // Also when nothing was missed: the page is up to date at once.
    const { last } = this.#history;
    if (last !== null) response.write(message(last, this.#page(caller)));
  }

  #tell(tick: HistoryTick): void {
    const pages = new Map<string, string>();
    for (const { response, caller } of this.#open) {
      const user = caller?.user ?? "";
      const text = pages.get(user) ?? message(tick, this.#page(caller));
      pages.set(user, text);
      response.write(text);
      if (response.writableLength > MOST_QUEUED) response.destroy();
    }
  }

  #page(caller: Caller | null): string {
    return statsFragment(viewOf({ control: this.#control, history: this.#history }, caller)).text;
  }

  #forget(stream: Stream): void {
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = null;
  }
}

function message(tick: HistoryTick, page: string): string {
  const data: StreamMessage = { tick, page };
  return `id: ${tick.id}\ndata: ${JSON.stringify(data)}\n\n`;
}

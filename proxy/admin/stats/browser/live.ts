import type { HistoryAnswer, StreamMessage } from "../../../api.ts";

/** Nothing came for so long: the connection is taken for lost (ms). Messages come each second. */
const SILENCE = 6000;
/** Before it is tried anew (ms). */
const PAUSE = 2000;

export type Link = "connecting" | "live" | "lost";

export interface LiveEvents {
  history(answer: HistoryAnswer): void;
  message(message: StreamMessage): void;
  link(state: Link): void;
}

/**
 * Follows the balancer: its history at first, then its stream. Browsers go on by themselves after a lost connection
 * and say where they were; when they give up (an answer that is no stream), it begins anew. Looks away while the page
 * is hidden.
 */
export class Live {
  readonly #events: LiveEvents;
  #source: EventSource | null = null;
  #timer = 0;
  /** The last sample that came. */
  #last = "";

  constructor(events: LiveEvents) {
    this.#events = events;
  }

  start(): void {
    document.addEventListener("visibilitychange", () => this.#visible());
    void this.#begin();
  }

  #visible(): void {
    if (document.hidden) this.#end();
    else if (this.#source === null) void this.#begin();
  }

  async #begin(): Promise<void> {
    this.#end();
    this.#expect(SILENCE + PAUSE);
    try {
      if (this.#last === "") await this.#history();
      this.#listen();
    } catch {
      this.#events.link("lost");
      this.#expect(PAUSE);
    }
  }

  async #history(): Promise<void> {
    const response = await fetch("/api/history", { signal: AbortSignal.timeout(SILENCE) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const answer = (await response.json()) as HistoryAnswer;
    this.#last = answer.id ?? "";
    this.#events.history(answer);
  }

  #listen(): void {
    const source = new EventSource(`/api/stream?after=${encodeURIComponent(this.#last)}`);
    this.#source = source;
    source.addEventListener("message", ({ data, lastEventId }: MessageEvent<string>) => {
      this.#last = lastEventId;
      this.#expect(SILENCE);
      this.#events.link("live");
      this.#events.message(JSON.parse(data) as StreamMessage);
    });
    source.addEventListener("reset", () => void this.#history().catch(() => this.#expect(PAUSE)));
    source.addEventListener("error", () => {
      this.#events.link("lost");
      this.#expect(source.readyState === EventSource.CLOSED ? PAUSE : SILENCE);
    });
  }

  /** Begins anew unless something comes within `ms`. */
  #expect(ms: number): void {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    this.#timer = window.setTimeout(() => {
      this.#events.link("lost");
      void this.#begin();
    }, ms);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }
}

import type { HistoryEvent, NodeState, Status, Tone } from "../api.ts";

/** The oldest goes first. */
export const MOST_EVENTS = 500;
const LONGEST_TEXT = 200;

export interface NumberedEvent extends HistoryEvent {
  /** Number of the sample that it belongs to. */
  readonly tick: number;
}

/** What happened lately, in bounded memory. */
export class HistoryEvents {
  readonly #events: NumberedEvent[] = [];

  add(tick: number, event: HistoryEvent): void {
    const text = event.text.length > LONGEST_TEXT ? `${event.text.slice(0, LONGEST_TEXT)}…` : event.text;
    this.#events.push({ ...event, text, tick });
    if (this.#events.length > MOST_EVENTS) this.#events.shift();
  }

  /** Those not older than `at` (ms since the epoch), oldest first. */
  since(at: number): HistoryEvent[] {
    return this.#events.filter((event) => event.at >= at).map(plain);
  }

  ofTick(tick: number): HistoryEvent[] {
    return this.#events.filter((event) => event.tick === tick).map(plain);
  }
}

function plain({ tick: _tick, ...event }: NumberedEvent): HistoryEvent {
  return event;
}

const TONES: Readonly<Record<NodeState, Tone>> = {
  joining: "busy",
  "catching-up": "busy",
  "in-sync": "good",
  down: "bad",
  draining: "off",
  maint: "off",
  quarantined: "bad",
};

/** How a state looks wherever it is shown. */
export function toneOf(state: NodeState): Tone {
  return TONES[state];
}

/** A node's change of state. */
export function stateEvent(
  at: number,
  node: string,
  { from, to, reason }: { from: NodeState; to: NodeState; reason: string },
): HistoryEvent {
  return { at, kind: "state", tone: toneOf(to), node, text: `${from} → ${to}: ${reason}` };
}

/** What else changed between two samples; null: there was none before, the process is new. */
export function changes(before: Status | null, now: Status, at: number): HistoryEvent[] {
  if (before === null) return [started(now)];
  return [
    ...scaled(before, now, at),
    ...bootstraps(before, now, at),
    ...reloaded(before, now),
    ...writes(before, now, at),
    ...(now.draining && !before.draining ? [stopping(at)] : []),
  ];
}

function started({ startedAt, version }: Status): HistoryEvent {
  return {
    at: startedAt,
    kind: "start",
    tone: "busy",
    node: null,
    text: `the balancer started (version ${version})`,
  };
}

function stopping(at: number): HistoryEvent {
  return { at, kind: "stop", tone: "off", node: null, text: "the balancer is shutting down" };
}

function scaled(before: Status, now: Status, at: number): HistoryEvent[] {
  const added = now.nodes.filter(({ name }) => !before.nodes.some((node) => node.name === name));
  const removed = before.nodes.filter(({ name }) => !now.nodes.some((node) => node.name === name));
  const event = (node: string, tone: Tone, text: string): HistoryEvent => {
    return { at, kind: "scale", tone, node, text };
  };
  return [
    ...added.map(({ name, url }) => event(name, "busy", `added: ${url}`)),
    ...removed.map(({ name }) => event(name, "off", "removed")),
  ];
}

function bootstraps(before: Status, now: Status, at: number): HistoryEvent[] {
  return now.nodes.flatMap(({ name, bootstrap }) => {
    const old = before.nodes.find((node) => node.name === name)?.bootstrap ?? null;
    if (bootstrap === old) return [];
    const [tone, text] =
      bootstrap === null ? (["good", "has the others' state"] as const) : (["busy", bootstrap] as const);
    return [{ at, kind: "bootstrap", tone, node: name, text } satisfies HistoryEvent];
  });
}

function reloaded({ reload: before }: Status, { reload }: Status): HistoryEvent[] {
  if (reload === null || reload.at === before?.at) return [];
  const text = reload.ok
    ? "the config was reloaded"
    : `the new config was refused: ${reload.problems.join("; ")}`;
  return [{ at: reload.at, kind: "reload", tone: reload.ok ? "good" : "bad", node: null, text }];
}

function writes(before: Status, now: Status, at: number): HistoryEvent[] {
  const event = (tone: Tone, text: string): HistoryEvent => {
    return { at, kind: "write", tone, node: null, text };
  };
  const aside = now.setAside - before.setAside;
  const divergent = now.totals.divergent - before.totals.divergent;
  return [
    ...(aside > 0 ? [event("bad", `set aside, since no node acks it: ${plural(aside, "write")}`)] : []),
    ...(aside < 0 ? [event("good", `no longer set aside: ${plural(-aside, "write")}`)] : []),
    ...(divergent > 0
      ? [event("bad", `answered otherwise than by the majority: ${plural(divergent, "write")}`)]
      : []),
  ];
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

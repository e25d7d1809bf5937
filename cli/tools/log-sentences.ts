/** The balancer's lines that people read most, each as a sentence; the fields that it uses are not said again. */

export type LogFields = Readonly<Record<string, unknown>>;

export interface Sentence {
  readonly text: string;
  readonly used: readonly string[];
}

/** Of any other line, also of one that lacks a field, the text is its `msg`. */
export function sentenceOf(fields: LogFields): Sentence {
  const { msg } = fields;
  const kind = typeof msg === "string" ? SENTENCES[msg] : undefined;
  if (kind === undefined || kind.needs.some((name) => fields[name] === undefined)) {
    return { text: String(msg ?? ""), used: [] };
  }
  return { text: kind.say(fields), used: [...kind.needs, ...(kind.takes ?? [])] };
}

interface Kind {
  readonly needs: readonly string[];
  /** What it says, too, where it is there. */
  readonly takes?: readonly string[];
  readonly say: (fields: LogFields) => string;
}

const SENTENCES: Readonly<Record<string, Kind>> = {
  request: {
    needs: ["method", "path", "status", "ms"],
    takes: ["code", "node", "seq"],
    say: ({ method, path, status, code, ms, node, seq }) => {
      const came = status === 0 ? "client left" : `${status}${given(" ", code)}`;
      return `${method} ${path} ${came} in ${milliseconds(ms)}${given(" from ", node)}${given(" write ", seq)}`;
    },
  },
  "leg failed": {
    needs: ["node", "outcome", "attempt", "ms"],
    takes: ["status", "seq", "reason"],
    say: ({ node, outcome, attempt, ms, status, seq, reason }) => {
      const what = seq === undefined ? "a read" : `write ${seq}`;
      const how = status === undefined ? (reason ?? outcome) : `answered ${status}`;
      return `${node} failed ${what}, attempt ${attempt}: ${how} after ${milliseconds(ms)}`;
    },
  },
  "node state": {
    needs: ["node", "from", "to", "reason"],
    say: ({ node, from, to, reason }) => `${node} ${from} → ${to}: ${reason}`,
  },
  divergence: {
    needs: ["node", "seq", "status", "majority"],
    say: ({ node, seq, status, majority }) =>
      `${node} diverged at write ${seq}: answered ${status}, the others ${majority}`,
  },
  "ambiguous answer": {
    needs: ["node", "seq", "status"],
    say: ({ node, seq, status }) =>
      `${node} answered write ${seq} with ${status}, after an attempt that it may have carried out`,
  },
  "write set aside": {
    needs: ["seq", "attempts", "reason"],
    say: ({ seq, attempts, reason }) => `write ${seq} set aside after ${attempts} attempts: ${reason}`,
  },
  bootstrap: {
    needs: ["node", "kind", "step"],
    takes: ["from", "seq"],
    say: ({ node, kind, step, from, seq }) =>
      `${node} bootstrap by ${kind}: ${step}${given(", from ", from)}${given(", up to write ", seq)}`,
  },
  alarm: { needs: ["what"], say: ({ what }) => `alarm: ${what}` },
  admin: {
    needs: ["user", "action", "status"],
    say: ({ user, action, status }) => `${user}: ${action} ${status}`,
  },
};

function given(before: string, value: unknown): string {
  return value === undefined ? "" : `${before}${value}`;
}

function milliseconds(ms: unknown): string {
  return typeof ms === "number" ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${ms} ms`;
}

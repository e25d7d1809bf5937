/** Terraform's `-json` output, line by line: what it does to which resource, and what it complains of. */

/** Of a line of https://developer.hashicorp.com/terraform/internals/machine-readable-ui, what is used here. */
interface Line {
  readonly type?: string;
  readonly diagnostic?: Diagnostic & { readonly severity: string };
  readonly change?: { readonly resource: { readonly addr: string }; readonly action: string };
  readonly changes?: { readonly add: number; readonly change: number; readonly remove: number };
  readonly hook?: {
    readonly resource: { readonly addr: string };
    readonly action?: string;
    readonly elapsed_seconds?: number;
  };
}

export interface Diagnostic {
  readonly summary: string;
  readonly detail: string;
  /** `aws_instance.app2`, where it is one resource's. */
  readonly address?: string;
}

/** How far an apply is. */
export interface Progress {
  readonly total: number;
  readonly done: number;
  /** At work now: address → what, and for how many seconds. */
  readonly working: ReadonlyMap<string, { readonly action: string; readonly seconds: number }>;
  readonly failed: readonly string[];
}

/** What came out so far; fed with lines, asked at any time. */
export class TerraformEvents {
  readonly errors: Diagnostic[] = [];
  readonly #planned = new Set<string>();
  readonly #done = new Set<string>();
  readonly #failed = new Set<string>();
  readonly #working = new Map<string, { action: string; seconds: number }>();

  /** @returns whether the progress has changed; a line that isn't JSON (a warning of the tool's own) changes nothing */
  take(text: string): boolean {
    const line = parse(text);
    if (line?.type === "diagnostic" && line.diagnostic?.severity === "error")
      this.errors.push(line.diagnostic);
    if (line?.type === "planned_change" && line.change) this.#plan(line.change);
    return line?.hook ? this.#hook(line.type, line.hook) : false;
  }

  get progress(): Progress {
    return {
      total: this.#planned.size,
      done: this.#done.size,
      working: new Map(this.#working),
      failed: [...this.#failed],
    };
  }

  #plan({ resource, action }: NonNullable<Line["change"]>): void {
    if (action !== "noop" && action !== "read") this.#planned.add(resource.addr);
  }

  #hook(
    type: string | undefined,
    { resource, action = "", elapsed_seconds = 0 }: NonNullable<Line["hook"]>,
  ): boolean {
    const { addr } = resource;
    // Data sources are read by the same hooks, and nobody has planned them.
    if (!this.#planned.has(addr)) return false;
    if (type === "apply_start" || type === "apply_progress") {
      this.#working.set(addr, { action, seconds: elapsed_seconds });
    } else if (type === "apply_complete") {
      this.#working.delete(addr);
      this.#done.add(addr);
    } else if (type === "apply_errored") {
      this.#working.delete(addr);
      this.#failed.add(addr);
    } else return false;
    return true;
  }
}

/** `12 of 32: creating aws_nat_gateway.main (40 s), aws_instance.app1` */
export function renderProgress({ total, done, working, failed }: Progress): string {
  const doing = [...working].map(
    ([address, { action, seconds }]) => `${verb(action)} ${address}${seconds >= 10 ? ` (${seconds} s)` : ""}`,
  );
  const broken = failed.length > 0 ? `, failed: ${failed.join(", ")}` : "";
  return `${done} of ${total}${doing.length > 0 ? `: ${doing.join(", ")}` : ""}${broken}`;
}

function verb(action: string): string {
  const words: Readonly<Record<string, string>> = {
    create: "creating",
    delete: "deleting",
    update: "changing",
  };
  return words[action] ?? action;
}

function parse(text: string): Line | null {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}

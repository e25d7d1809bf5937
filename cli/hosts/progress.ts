/** How a playbook goes, from the events that ansible/callback_plugins/lbctl_progress.py writes. */
import { printable } from "../tools/format.ts";

interface Named {
  readonly role: string | null;
  readonly task: string;
}

type ProgressEvent =
  | { readonly event: "play"; readonly name: string }
  | ({ readonly event: "start"; readonly host: string } & Named)
  | ({ readonly event: "diff"; readonly host: string; readonly diff: string } & Named)
  | ({
      readonly event: "result";
      readonly host: string;
      readonly outcome: "ok" | "changed" | "skipped" | "failed" | "ignored" | "unreachable";
      readonly message?: string;
    } & Named)
  | {
      readonly event: "stats";
      readonly hosts: Readonly<Record<string, { readonly failures: number; readonly unreachable: number }>>;
    }
  | { readonly event: "no_hosts" };

/** A task that changed a host, or would. */
export interface TaskChange extends Named {
  readonly host: string;
  readonly diff: string;
}

export interface TaskFailure extends Named {
  readonly host: string;
  readonly unreachable: boolean;
  readonly message: string;
}

export class Progress {
  readonly changes: TaskChange[] = [];
  readonly #failures: TaskFailure[] = [];
  readonly #now = new Map<string, string>();
  #stats: Readonly<Record<string, { readonly failures: number; readonly unreachable: number }>> | null = null;

  /** @param line as it was written; what is not an event is left alone */
  take(line: string): void {
    const event = parse(line);
    if (event?.event === "start") this.#now.set(event.host, described(event));
    if (event?.event === "result") this.#result(event);
    if (event?.event === "diff") this.changes.push({ ...namedOf(event), host: event.host, diff: event.diff });
    if (event?.event === "stats") this.#stats = event.hosts;
  }

  /** What each host is at: `app1  lb_app: Copy the reference app`. */
  get lines(): string {
    const hosts = [...this.#now].sort(([a], [b]) => a.localeCompare(b));
    const width = Math.max(...hosts.map(([host]) => host.length));
    return hosts.map(([host, at]) => `${host.padEnd(width)}  ${at}`).join("\n");
  }

  /** Of hosts that the run failed on: not what was rescued. */
  get failures(): readonly TaskFailure[] {
    const stats = this.#stats;
    if (!stats) return this.#failures;
    return this.#failures.filter(({ host }) => {
      const found = stats[host];
      return found === undefined || found.failures + found.unreachable > 0;
    });
  }

  #result(event: Extract<ProgressEvent, { event: "result" }>): void {
    const { host, outcome, message = "" } = event;
    if (outcome === "changed") this.#changed(host, namedOf(event));
    if (outcome === "failed" || outcome === "unreachable") {
      this.#now.set(host, `failed: ${described(event)}`);
      this.#failures.push({
        ...namedOf(event),
        host,
        unreachable: outcome === "unreachable",
        message: printable(message),
      });
    }
  }

  /** Its diff came before. */
  #changed(host: string, named: Named): void {
    const last = this.changes.at(-1);
    const same = last?.host === host && last.task === named.task && last.role === named.role;
    if (!same) this.changes.push({ ...named, host, diff: "" });
  }
}

function described({ role, task }: Named): string {
  return role === null ? task : `${role}: ${task}`;
}

function namedOf({ role, task }: Named): Named {
  return { role, task };
}

function parse(line: string): ProgressEvent | null {
  try {
    return JSON.parse(line) as ProgressEvent;
  } catch {
    return null;
  }
}

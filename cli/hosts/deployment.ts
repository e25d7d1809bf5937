/** A deploy under way: what is recorded, what was changed, and the tools that its steps share. */
import { stringify } from "yaml";
import { AdminClient } from "../admin-client.ts";
import type { Asked } from "../balancer-waits.ts";
import { UserError } from "../errors.ts";
import { writeFileSafely, writeJson } from "../state.ts";
import type { Change, Reached } from "../target.ts";
import { plural } from "../tools/format.ts";
import { renderInventory } from "./inventory.ts";
import type { Machine } from "./machines.ts";
import { type PlaybookOptions, runPlaybook } from "./playbook.ts";
import type { TaskChange } from "./progress.ts";
import type { HostsRecord, RecordedNode } from "./record.ts";
import type { HostSession } from "./session.ts";
import type { Site } from "./site.ts";
import { reachByTunnel } from "./tunnel.ts";

export class Deployment implements AsyncDisposable {
  readonly site: Site;
  readonly #session: HostSession;
  readonly #changes: TaskChange[] = [];
  #record: HostsRecord;
  #reached: Reached | null = null;

  constructor(site: Site, session: HostSession, record: HostsRecord) {
    this.site = site;
    this.#session = session;
    this.#record = record;
  }

  get record(): HostsRecord {
    return this.#record;
  }

  /** On the balancer's host first: that one is right. */
  async save(changed: Partial<HostsRecord>): Promise<void> {
    this.#record = { ...this.#record, ...changed };
    await this.#session.record(this.#record);
    await writeJson(this.site.state.record, this.#record);
  }

  /** Writes the inventory in which the balancer knows these nodes. */
  async render(nodes: readonly RecordedNode[], appMachines: readonly Machine[]): Promise<void> {
    await writeInventory(this.site, nodes, appMachines);
  }

  async play(options: PlaybookOptions): Promise<readonly TaskChange[]> {
    const changes = await runPlaybook(this.site, options);
    if (!options.check) this.#changes.push(...changes);
    return changes;
  }

  /** By one tunnel for the whole deploy. */
  async ask(): Promise<Asked> {
    this.#reached ??= await reachByTunnel(this.site, this.#record);
    const { signal } = this.site;
    return {
      admin: new AdminClient(this.#reached.cluster, signal),
      signal,
      watch: async () => undefined,
      silence: async () => silence(),
    };
  }

  get changes(): readonly Change[] {
    return summary(this.#changes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reached?.[Symbol.asyncDispose]();
  }
}

export async function writeInventory(
  site: Site,
  nodes: readonly RecordedNode[],
  appMachines: readonly Machine[],
): Promise<void> {
  const text = stringify(renderInventory({ ...site, nodes, appMachines }), { lineWidth: 0 });
  await writeFileSafely(site.inventory, `# Written by lbctl; deploy writes it anew.\n${text}`);
}

/** One for each host. */
function summary(changes: readonly TaskChange[]): Change[] {
  return [...Map.groupBy(changes, ({ host }) => host)].map(([host, tasks]) => {
    const roles = Map.groupBy(tasks, ({ role }) => role ?? "play");
    const detail = [...roles].map(([role, { length }]) => `${role}: ${plural(length, "change")}`);
    return { action: "change", what: host, detail: detail.join(", ") };
  });
}

function silence(): UserError {
  return new UserError("expected the balancer to answer, got nothing", {
    code: "balancer_unreachable",
    next: ["lbctl logs balancer   # what it did last", "lbctl deploy   # waits once more"],
  });
}

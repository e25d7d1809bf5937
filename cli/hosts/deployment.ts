/** A deploy under way: what is recorded, what was changed, and the tools that its steps share. */
import type { Status } from "../../proxy/api.ts";
import { type AdminAccess, AdminClient } from "../admin-client.ts";
import type { Asked } from "../balancer-waits.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { writeFileSafely, writeJson } from "../state.ts";
import type { Change, Reached } from "../target.ts";
import { plural } from "../tools/format.ts";
import { inventoryText, renderInventory } from "./inventory.ts";
import type { Machine } from "./machines.ts";
import { type PlaybookOptions, runPlaybook } from "./playbook.ts";
import type { TaskChange } from "./progress.ts";
import type { HostsRecord, RecordedNode } from "./record.ts";
import type { HostSession } from "./session.ts";
import type { Site } from "./site.ts";
import { reachByTunnel } from "./tunnel.ts";

/** How the balancer's admin API is asked. */
type AdminRecord = Pick<HostsRecord, "adminPort" | "adminUser">;

/** As lbctl.yaml wants it. */
export function adminAccess({ ports, admin }: ClusterConfig): AdminRecord {
  return { adminPort: ports.admin, adminUser: admin.user };
}

export class Deployment implements AsyncDisposable {
  readonly site: Site;
  readonly #session: HostSession;
  readonly #changes: TaskChange[] = [];
  #record: HostsRecord;
  #reached: Reached | null = null;
  #access: AdminAccess | null = null;

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
    if (options.check) return changes;
    this.#changes.push(...changes);
    if (options.playbook === "balancer" && this.#moves()) {
      await this.#askAt(adminAccess(this.site.config));
      await this.save({});
    }
    return changes;
  }

  /** Null: nobody listens, neither where the record says nor, where a deploy was cut, where lbctl.yaml does. */
  async statusUnlessHung(): Promise<Status | null> {
    const recorded = this.#record;
    const status = await this.#answer();
    if (status || !this.#moves()) return status;
    await this.#askAt(adminAccess(this.site.config));
    const moved = await this.#answer();
    if (!moved) await this.#askAt(recorded);
    return moved;
  }

  /** By one tunnel for the whole deploy. */
  async ask(): Promise<Asked> {
    this.#reached ??= await reachByTunnel(this.site, this.#record);
    this.#access ??= this.#accessNow(this.#reached);
    const { signal } = this.site;
    return {
      admin: new AdminClient(this.#access, signal),
      signal,
      watch: async () => undefined,
      silence: async () => silence(),
    };
  }

  /** Goes along when the balancer gets another port: steps keep their client meanwhile. */
  #accessNow({ cluster }: Reached): AdminAccess {
    const now = () => this.#reached?.cluster ?? cluster;
    return {
      get adminUrl() {
        return now().adminUrl;
      },
      get adminUser() {
        return now().adminUser;
      },
      adminPasswordFile: cluster.adminPasswordFile,
    };
  }

  /** Whether the balancer is to be asked in another way than until now. */
  #moves(): boolean {
    const { adminPort, adminUser } = adminAccess(this.site.config);
    return adminPort !== this.#record.adminPort || adminUser !== this.#record.adminUser;
  }

  async #askAt({ adminPort, adminUser }: AdminRecord): Promise<void> {
    this.#record = { ...this.#record, adminPort, adminUser };
    const before = this.#reached;
    this.#reached = before && (await reachByTunnel(this.site, this.#record));
    await before?.[Symbol.asyncDispose]();
  }

  async #answer(): Promise<Status | null> {
    const { admin } = await this.ask();
    return await admin.statusUnlessHung().catch((error: unknown) => {
      if (this.#moves() && error instanceof UserError && error.code === "wrong_password") return null;
      throw error;
    });
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
  const text = inventoryText(renderInventory({ ...site, nodes, appMachines }));
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

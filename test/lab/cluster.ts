/** A deployed cluster, asked as people and programs ask it. */

import assert from "node:assert/strict";
import type { Status, VerifyReport } from "../../proxy/api.ts";
import type { Load } from "../support/load.ts";
import { until } from "../support/wait.ts";
import { LabHost } from "./host.ts";

export class LabCluster {
  readonly balancer = new LabHost(1);
  readonly nodes: readonly LabHost[];

  constructor(nodes: number) {
    this.nodes = Array.from({ length: nodes }, (_, index) => new LabHost(index + 2));
  }

  get url(): string {
    return `http://${this.balancer.address}`;
  }

  /** The admin API is for operators' addresses only: asked from the balancer itself. */
  status(): Status {
    return JSON.parse(this.#admin("GET", "/api/status")) as Status;
  }

  /** The pid of a unit's process on a host. */
  pid(host: LabHost, unit: string): number {
    return Number(host.shell(`systemctl show -P MainPID ${unit}`));
  }

  /** Waits until every node is in-sync and lags behind by nothing. */
  async inSync(): Promise<void> {
    const ready = () => this.status().nodes.every(({ state, lag }) => state === "in-sync" && lag === 0);
    const safe = () => {
      try {
        return ready();
      } catch {
        return false; // not up yet
      }
    };
    await until(safe, { timeout: 120_000, what: "all nodes being in-sync" });
  }

  /**
   * Stops the load and asserts that nothing is missing: each node itself knows every user by the password that was
   * acknowledged last, and all hold the same.
   */
  async audit(load: Load): Promise<void> {
    await load.stop();
    await this.inSync();
    assert.deepEqual(load.stale, []);
    assert.deepEqual(load.wrongWrites, []);
    const known = load.accounts.filter(({ password, pending }) => password !== null && !pending);
    assert.ok(known.length > 0);
    for (const node of this.nodes) {
      const lines = known.map(({ name, password }) => `login ${name} ${password}`);
      const login =
        'login() { curl -s -o /dev/null -w "%{http_code} $1\\n" -u "$1:$2" http://127.0.0.1:4567/login; }';
      const answers = node
        .shell([login, ...lines].join("\n"))
        .trim()
        .split("\n");
      assert.deepEqual(
        answers,
        known.map(({ name }) => `200 ${name}`),
        node.name,
      );
    }
    const report = JSON.parse(this.#admin("POST", "/api/verify")) as VerifyReport;
    assert.equal(report.equal, true, JSON.stringify(report));
  }

  #admin(method: string, path: string): string {
    return this.balancer.shell(
      `curl -sf -X ${method} -u "admin:$(cat /etc/lbctl/admin.password)" http://127.0.0.1:1936${path}`,
    );
  }
}

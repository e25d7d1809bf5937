/** Clusters for tests: a directory with a space in its name, ports of their own, and nothing left behind. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { SupervisorStatus } from "../../cli/local/processes.ts";
import { portState } from "../../cli/ports.ts";
import { clusterProcesses, signal } from "../../cli/proc.ts";
import { type StatePaths, statePaths } from "../../cli/state.ts";
import { type Lbctl, lbctlIn } from "./lbctl.ts";

export interface Ports {
  readonly traffic: number;
  readonly admin: number;
  readonly apps: number;
}

export interface TestCluster extends Lbctl {
  readonly dir: string;
  readonly state: StatePaths;
  readonly ports: Ports;
  readonly url: string;
  write(settings?: string): Promise<void>;
  supervisor(): Promise<SupervisorStatus>;
}

/** @param nodes in lbctl.yaml; null: not said there */
export async function testCluster(t: TestContext, nodes: number | null = 2): Promise<TestCluster> {
  const dir = await mkdtemp(join(tmpdir(), "lbctl test "));
  const state = statePaths(dir, "default");
  // Before the directory goes: the supervisor is among them, so nobody starts anything again.
  t.after(async () => {
    endAll(state);
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  });
  const ports = await freePorts();
  const cluster = clusterIn(dir, state, ports, nodes);
  await cluster.write();
  return cluster;
}

function clusterIn(dir: string, state: StatePaths, ports: Ports, nodes: number | null): TestCluster {
  return {
    ...lbctlIn(dir),
    dir,
    state,
    ports,
    url: `http://127.0.0.1:${ports.traffic}`,
    write: (settings = "") => {
      const count = nodes === null ? "" : `nodes: ${nodes} # kept\n`;
      const where = `ports: { traffic: ${ports.traffic}, admin: ${ports.admin}, apps: ${ports.apps} }\n`;
      // Nobody wants a Prometheus beside each test.
      const watched = /^monitoring:/m.test(settings) ? "" : "monitoring: off\n";
      return writeFile(join(dir, "lbctl.yaml"), `# a test\n${count}${where}${watched}${settings}`);
    },
    supervisor: async () => JSON.parse(await readFile(state.supervisor, "utf8")) as SupervisorStatus,
  };
}

function endAll(state: StatePaths): void {
  const running = clusterProcesses(state.dir);
  const supervisorsFirst = running.sort(
    (a, b) => Number(b.name === "supervisor") - Number(a.name === "supervisor"),
  );
  for (const process of supervisorsFirst) signal(process, "SIGKILL");
}

/** Below the range that the kernel gives out by itself; eleven in a row. */
export async function freePorts(): Promise<Ports> {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 12_000);
    const all = Array.from({ length: 11 }, (_, index) => first + index);
    const states = await Promise.all(all.map(portState));
    if (states.every((state) => state === "free"))
      return { traffic: first, admin: first + 1, apps: first + 2 };
  }
}

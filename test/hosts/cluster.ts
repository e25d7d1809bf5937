/** lbctl and the lab's hosts: a cluster in a directory of its own, and other builds of lbctl to upgrade to. */
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { HostsRecord } from "../../cli/hosts/record.ts";
import { statePaths } from "../../cli/state.ts";
import { type Ran, run } from "../cli/lbctl.ts";
import { type Lab, readLab } from "../lab/lab.ts";
import { ansibleVenv } from "../lab/venv.ts";
import type { CertificateFiles } from "../support/certificate.ts";
import { tempFolder } from "../support/temp-folder.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Ansible on a busy machine takes its time. */
const PATIENCE = 900_000;

export interface HostsCluster {
  readonly dir: string;
  readonly lab: Lab;
  readonly url: string;
  /** lbctl.yaml with so many nodes, and these lines besides. */
  write(nodes: number, changes?: HostsChanges): void;
  lbctl(...args: string[]): Promise<Ran>;
  /** As `lbctl`, with the process while it runs. */
  start(...args: string[]): { readonly child: Promise<ChildProcess>; readonly ended: Promise<Ran> };
  /** Fails the test unless it exits with 0. */
  ok(...args: string[]): Promise<string>;
  json<T>(...args: string[]): Promise<T>;
  /** From here on another build of lbctl is run. */
  use(build: string): void;
  /** As lbctl keeps it in the state directory; null before anything is installed. */
  record(): HostsRecord | null;
}

export interface HostsChanges {
  readonly key?: string;
  readonly apps?: readonly string[];
  /** By default this computer's alone. */
  readonly adminAddresses?: readonly string[];
  /** As in lbctl.yaml; none by default. */
  readonly monitoring?: string;
  readonly app?: string;
  readonly proxy?: string;
  readonly tls?: CertificateFiles;
}

/** The first host is the balancer's; all others are listed for app servers. Each has a state directory of its own. */
export function hostsCluster(t: TestContext, name = "lab"): HostsCluster {
  const lab = readLab();
  const dir = tempFolder(t);
  const state = statePaths(dir, name);
  mkdirSync(state.dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(state.dir, "known_hosts"), readFileSync(lab.knownHosts));
  let program = join(ROOT, "cli/bin.ts");
  // Made before, where there is a way out: lbctl takes one that is new enough from PATH.
  const env = { PATH: `${join(ansibleVenv(), "bin")}:${process.env.PATH}`, XDG_DATA_HOME: join(dir, "data") };
  const lbctl = (...args: string[]) =>
    run(process.execPath, [program, ...args], { cwd: dir, env, timeout: PATIENCE });
  const start = (...args: string[]) => {
    const { promise, resolve } = Promise.withResolvers<ChildProcess>();
    const ended = run(process.execPath, [program, ...args], {
      cwd: dir,
      env,
      timeout: PATIENCE,
      started: resolve,
    });
    return { child: promise, ended };
  };
  const ok = async (...args: string[]) => {
    const ran = await lbctl(...args);
    if (ran.code !== 0) throw new Error(`lbctl ${args.join(" ")}: ${ran.code}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  };
  const cluster: HostsCluster = {
    dir,
    lab,
    url: `http://${lab.hosts[0]?.address}`,
    write: (nodes, changes = {}) =>
      writeFileSync(join(dir, "lbctl.yaml"), configText(name, nodes, lab, changes)),
    lbctl,
    start,
    ok,
    json: async <T>(...args: string[]) => JSON.parse(await ok(...args, "--json")) as T,
    use: (build) => {
      program = join(build, "bin/lbctl.js");
    },
    record: () => {
      try {
        return JSON.parse(readFileSync(state.record, "utf8")) as HostsRecord;
      } catch {
        return null;
      }
    },
  };
  return cluster;
}

function configText(name: string, nodes: number, lab: Lab, changes: HostsChanges): string {
  const [balancer, ...others] = lab.hosts.map(({ address }) => address);
  const { key = lab.key, apps = others, app = "reference", proxy = "{}", tls } = changes;
  const { adminAddresses = [lab.controller] } = changes;
  const { monitoring = "{ prometheus: none, grafana: none }" } = changes;
  return [
    `name: ${name}`,
    "target: hosts",
    `nodes: ${nodes} # kept`,
    "hosts:",
    `  balancer: ${balancer}`,
    `  apps: [${apps.join(", ")}]`,
    `  ssh: { user: ${lab.user}, key: ${key} }`,
    `  adminAddresses: [${adminAddresses.join(", ")}]`,
    `  monitoring: ${monitoring}`,
    `app: ${app}`,
    `proxy: ${proxy}`,
    ...(tls === undefined ? [] : [`tls: ${JSON.stringify(tls)}`]),
    "",
  ].join("\n");
}

/** What the brief names, through the balancer's port 80. @param username not taken yet */
export async function threeRequests(url: string, username: string): Promise<void> {
  const post = (path: string, fields: Record<string, string>) =>
    fetch(`${url}${path}`, { method: "POST", body: new URLSearchParams(fields) });
  assert.equal((await post("/register", { username, password: "first" })).status, 201);
  const change = { username, password: "first", newPassword: "second" };
  assert.equal((await post("/changePassword", change)).status, 200);
  const authorization = `Basic ${Buffer.from(`${username}:second`).toString("base64")}`;
  assert.equal((await fetch(`${url}/login`, { headers: { authorization } })).status, 200);
}

/**
 * What npm would install, with one line more in its bundles: a new version of balancer and app.
 * @param inApp a statement that the app carries out at its start
 */
export async function anotherBuild(t: TestContext, inApp = ""): Promise<string> {
  const folder = tempFolder(t);
  for (const part of ["bin", "dist", "ansible", "grafana", "package.json"]) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  await appendFile(join(folder, "dist/proxy.mjs"), `// ${folder}\n`);
  await appendFile(join(folder, "dist/app.mjs"), `${inApp} // ${folder}\n`);
  return folder;
}

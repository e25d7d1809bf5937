/** A cluster on the lab's hosts as a user without lbctl writes it down, and playbooks run on it. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import type { Lab } from "./lab.ts";
import { ANSIBLE, ansibleVenv } from "./venv.ts";

const ROOT = dirname(dirname(import.meta.dirname));
const ARCHITECTURES = { x64: "x86_64", arm64: "aarch64" } as const;

const ADMIN_PASSWORD = "a password of the lab";
const VIEWER_PASSWORD = "another password of the lab";

/** What one run of a playbook came to; the counts are over all hosts. */
export interface Run {
  readonly ok: boolean;
  readonly changed: number;
  readonly failed: number;
  readonly unreachable: number;
  readonly output: string;
}

export class Playbooks {
  readonly #folder: string;
  readonly #lab: Lab;
  readonly #apps: number;

  /** The first host is the balancer (and the monitoring host), the next `apps` are nodes. */
  constructor(folder: string, lab: Lab, apps: number) {
    this.#folder = folder;
    this.#lab = lab;
    this.#apps = apps;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "admin.password"), ADMIN_PASSWORD, { mode: 0o600 });
    writeFileSync(join(folder, "viewer.password"), VIEWER_PASSWORD, { mode: 0o600 });
    this.release("1");
  }

  /** Writes the inventory for a release: the same program, which says another version. */
  release(version: string, more: Readonly<Record<string, unknown>> = {}): void {
    const bundle = join(this.#folder, `proxy-${version}.mjs`);
    const built = readFileSync(join(ROOT, "dist/proxy.mjs"), "utf8");
    const named = built.replace(/(VERSION\d* ?= ?true ?\? ?)"[^"]+"/, `$1"0.1.0-${version}"`);
    if (named === built) throw new Error("expected dist/proxy.mjs to name its version, got no such place");
    writeFileSync(bundle, named);
    writeFileSync(join(this.#folder, "inventory.yml"), stringify(this.#inventory(version, bundle, more)));
  }

  /** Runs a playbook, with a user's own Ansible. */
  async play(name: string, ...args: readonly string[]): Promise<Run> {
    const child = spawn(
      join(ansibleVenv(), "bin/ansible-playbook"),
      ["-i", join(this.#folder, "inventory.yml"), `playbooks/${name}.yml`, ...args],
      {
        cwd: ANSIBLE,
        stdio: ["ignore", "pipe", "pipe"],
        env: { ...process.env, ANSIBLE_NOCOLOR: "1", ANSIBLE_SSH_CONTROL_PATH_DIR: join(this.#folder, "cp") },
      },
    );
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    const [code] = (await once(child, "close")) as [number | null];
    const sum = (what: string) =>
      [...output.matchAll(new RegExp(`^\\S+ +: ok=.*\\b${what}=(\\d+)`, "gm"))].reduce(
        (total, [, count]) => total + Number(count),
        0,
      );
    return {
      ok: code === 0,
      changed: sum("changed"),
      failed: sum("failed"),
      unreachable: sum("unreachable"),
      output,
    };
  }

  #inventory(version: string, bundle: string, more: Readonly<Record<string, unknown>>): unknown {
    const node = process.execPath;
    const sha256 = createHash("sha256").update(readFileSync(node)).digest("hex");
    const architecture = ARCHITECTURES[process.arch as keyof typeof ARCHITECTURES];
    const [balancer, ...others] = this.#lab.hosts;
    const apps = others.slice(0, this.#apps);
    const name = (index: number) => `app${index + 1}`;
    return {
      all: {
        vars: {
          ansible_user: this.#lab.user,
          ansible_ssh_private_key_file: this.#lab.key,
          ansible_ssh_common_args: `-o UserKnownHostsFile=${this.#lab.knownHosts} -o StrictHostKeyChecking=yes`,
          node_runtime_binaries: { [architecture]: { path: node, sha256 } },
          lb_proxy_version: version,
          lb_proxy_bundle: bundle,
          lb_proxy_watchdog: 9,
          lb_proxy_drain_timeout: 10,
          lb_proxy_admin_password_file: join(this.#folder, "admin.password"),
          lb_proxy_viewer_password_file: join(this.#folder, "viewer.password"),
          lb_proxy_config: {
            cluster: "lab",
            nodes: apps.map(({ address }, index) => ({
              name: name(index),
              url: `http://${address}:4567`,
              empty: true,
            })),
            health: { path: "/healthz" },
            app: { snapshot: "/lb/snapshot", digest: "/lb/digest" },
          },
          lb_app_version: version,
          lb_app_bundle: join(ROOT, "dist/app.mjs"),
          lb_app_sync: "normal",
          grafana_source: "configured",
          alertmanager_enabled: true,
          ...more,
        },
      },
      balancer: { hosts: { lb: { ansible_host: balancer?.address } } },
      apps: {
        hosts: Object.fromEntries(apps.map(({ address }, index) => [name(index), { ansible_host: address }])),
      },
      monitoring: { hosts: { lb: {} } },
    };
  }
}

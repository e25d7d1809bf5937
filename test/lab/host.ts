/** One host of the lab: a systemd-nspawn machine over the common root file system. */

import { spawn } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { until } from "../support/wait.ts";
import { cgroups, killAll, processesIn } from "./cgroup.ts";
import { inLab, run, works } from "./network.ts";
import { ADDRESSES, LAB, PLACE, USER } from "./place.ts";
import { rootFilesystem } from "./root-filesystem.ts";

/** The first host's address ends with 11. */
const FIRST = 11;

export class LabHost {
  readonly name: string;
  readonly address: string;
  readonly #folder: string;

  constructor(number: number) {
    this.name = `host${number}`;
    this.address = `${ADDRESSES}.${FIRST + number - 1}`;
    this.#folder = join(PLACE.hosts, this.name);
  }

  get running(): boolean {
    return processesIn(this.name).length > 0;
  }

  /** Its root as this computer sees it; whole only while it runs. */
  get root(): string {
    return join(this.#folder, "root");
  }

  /** Boots it, with the disk it had before, or a new one. Safe to repeat. */
  async start(): Promise<void> {
    if (!this.running) {
      if (!existsSync(this.#folder)) this.#make();
      this.#mount();
      this.#boot();
    }
    await this.#answers();
  }

  /** As its own `poweroff`; what does not end within 20 s is killed. Its disk stays. */
  async stop(): Promise<void> {
    if (this.running) this.shell("systemctl poweroff --no-block");
    await until(() => !this.running, { timeout: 20_000, what: `the end of ${this.name}` }).catch(() => {});
    await this.crash();
    if (works("mountpoint", "-q", this.root)) run("umount", this.root);
  }

  /** SIGKILL to all that runs on it: a crash of the host, not a loss of power (its disk cache is kept). */
  async crash(): Promise<void> {
    await until(() => killAll(this.name), { timeout: 20_000, what: `the end of ${this.name}` });
  }

  /** It and its disk are gone. */
  async remove(): Promise<void> {
    await this.crash();
    if (works("mountpoint", "-q", this.root)) run("umount", this.root);
    rmSync(this.#folder, { recursive: true, force: true });
    for (const folder of cgroups(this.name).filter((group) => existsSync(group))) {
      run("find", folder, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";");
    }
  }

  /** Runs a line of shell on it, as root; gives what it printed, throws when it ends with another code than 0. */
  shell(line: string): string {
    const [command, ...args] = inLab(
      "ssh",
      ...sshOptions(),
      `${USER}@${this.address}`,
      "sudo",
      "sh",
      "-c",
      quoted(line),
    );
    return run(command, ...args);
  }

  #make(): void {
    const upper = join(this.#folder, "upper");
    for (const part of ["upper", "work", "root"]) mkdirSync(join(this.#folder, part), { recursive: true });
    put(join(upper, "etc/hostname"), `${this.name}\n`);
    put(join(upper, "etc/hosts"), `127.0.0.1 localhost\n${this.address} ${this.name}\n`);
    put(
      join(upper, "etc/systemd/network/10-lab.network"),
      `[Match]\nName=host0\n[Network]\nAddress=${this.address}/24\nLinkLocalAddressing=no\n`,
    );
    mkdirSync(join(upper, "etc/ssh"), { recursive: true });
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", join(upper, "etc/ssh/ssh_host_ed25519_key"));
    const hostKey = readFileSync(join(upper, "etc/ssh/ssh_host_ed25519_key.pub"), "utf8");
    appendFileSync(PLACE.knownHosts, `${this.address} ${hostKey}`);
    this.#letIn(upper);
  }

  #letIn(upper: string): void {
    const home = join(rootFilesystem(), "home", USER);
    const { uid, gid } = statSync(home);
    const ssh = join(upper, "home", USER, ".ssh");
    mkdirSync(ssh, { recursive: true, mode: 0o700 });
    put(join(ssh, "authorized_keys"), readFileSync(`${PLACE.key}.pub`, "utf8"));
    for (const path of [join(upper, "home", USER), ssh, join(ssh, "authorized_keys")])
      chownSync(path, uid, gid);
  }

  #mount(): void {
    if (works("mountpoint", "-q", this.root)) return;
    const [upper, work] = [join(this.#folder, "upper"), join(this.#folder, "work")];
    const options = `lowerdir=${rootFilesystem()},upperdir=${upper},workdir=${work}`;
    run("mount", "-t", "overlay", `lbctl-${this.name}`, "-o", options, this.root);
  }

  #boot(): void {
    const joins = cgroups(this.name).map((folder) => {
      mkdirSync(folder, { recursive: true });
      return `echo $$ > ${folder}/cgroup.procs`;
    });
    const nspawn = [
      "systemd-nspawn",
      ...["-D", this.root, `--machine=${LAB}-${this.name}`, "--boot", "--register=no", "--keep-unit"],
      ...[`--network-bridge=${PLACE.bridge}`, "--console=pipe", "--resolv-conf=off", "--timezone=off"],
    ];
    const log = openSync(join(this.#folder, "console.log"), "a", 0o600);
    const line = [...joins, `exec ${inLab(...nspawn).join(" ")}`].join("\n");
    const child = spawn("sh", ["-e", "-c", line], { detached: true, stdio: ["ignore", log, log] });
    closeSync(log);
    child.unref();
  }

  async #answers(): Promise<void> {
    const what = `${this.name} being up (see ${this.#folder}/console.log)`;
    await until(() => this.#isUp(), { timeout: 90_000, what });
  }

  #isUp(): boolean {
    try {
      return ["running", "degraded"].includes(this.shell("systemctl is-system-running || true").trim());
    } catch {
      return false;
    }
  }
}

/** How tests and people sign in. */
export function sshOptions(): string[] {
  return [
    ...["-i", PLACE.key, "-o", `UserKnownHostsFile=${PLACE.knownHosts}`, "-o", "StrictHostKeyChecking=yes"],
    ...["-o", "ConnectTimeout=3", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"],
  ];
}

function put(file: string, text: string): void {
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
}

function quoted(line: string): string {
  return `'${line.replaceAll("'", "'\\''")}'`;
}

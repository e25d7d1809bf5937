/** A look at each host before anything is changed: one sign-in each, and a clear error for what would fail later. */
import { UserError } from "../errors.ts";
import { runTool } from "../tool.ts";
import { bytes } from "../tools/format.ts";
import { sshArgv } from "../tools/ssh.ts";
import { accessOf, type Machine } from "./machines.ts";
import type { HostsRecord } from "./record.ts";
import { allOf, sshError } from "./ssh-errors.ts";
import type { HostsWork } from "./work.ts";

/** Kept free for a release, in bytes. */
export const LEAST_DISK = 512 * 1024 ** 2;
const SYSTEMS: readonly string[] = ["debian 12", "ubuntu 24.04"];
const ARCHITECTURES: readonly string[] = ["x86_64", "aarch64"];

export interface Facts {
  readonly machine: Machine;
  readonly architecture: string;
  /** The user is not root, and becomes it by sudo. */
  readonly becomes: boolean;
  /** There is data of an app from before. */
  readonly hasAppData: boolean;
  /** Whole ones that are there: `proxy/0.1.0-3f2a9c41`, `app/…` */
  readonly releases: readonly string[];
  /** As `ownerOf`; null: nobody's, or that of a cluster without lbctl. */
  readonly owner: string | null;
  /** A balancer's, with the key without which it cannot be read. */
  readonly hasJournal: boolean;
  /** Of a balancer that runs there. */
  readonly adminPassword: string | null;
  /** What the balancer's host knows of the cluster; null: none is there, or it is another host. */
  readonly deployed: HostsRecord | null;
}

/** As root, whoever signs in; the script comes by stdin, so that nothing of it is in an argument list. */
const AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n sh -s; fi';

const SCRIPT = `
. /etc/os-release
echo "system=$ID $VERSION_ID"
echo "architecture=$(uname -m)"
echo "sudo=\${SUDO_UID:-0}"
echo "systemd=$([ -d /run/systemd/system ] && echo yes)"
echo "python=$(command -v python3)"
echo "free=$(df -Pk /opt/lbctl /opt /var/lib 2>/dev/null | awk 'NR > 1 { print $4 }' | sort -n | head -n 1)"
echo "data=$(ls -A /var/lib/lb-app 2>/dev/null | head -n 1)"
echo "owner=$(sed -n 's/^# Owner: //p' /etc/lbctl/firewall.nft 2>/dev/null)"
echo "releases=$(cd /opt/lbctl 2>/dev/null && ls -d proxy/releases/*/proxy.mjs app/releases/*/app.mjs app/releases/*/app 2>/dev/null | tr '\\n' ' ')"
`;
const OF_BALANCER = `
echo "journal=$([ -s /var/lib/lb-proxy/journal.db ] && [ -s /etc/lbctl/journal.key ] && echo yes)"
echo "password=$(cat /etc/lbctl/admin.password 2>/dev/null)"
echo "deployed=$(cat /var/lib/lbctl/cluster.json 2>/dev/null)"
`;

/** What the hosts are looked at for. */
export type Purpose = "install" | "remove";

/** @throws UserError naming every host that can't be used, and why */
export async function probe(
  work: HostsWork,
  machines: readonly Machine[],
  purpose: Purpose,
): Promise<readonly Facts[]> {
  const errors: UserError[] = [];
  const found = await Promise.all(
    machines.map((machine) =>
      look(work, machine, purpose).catch((error: unknown) => {
        if (!(error instanceof UserError) || work.signal.aborted) throw error;
        errors.push(error);
        return [];
      }),
    ),
  );
  if (errors.length > 0) throw allOf(errors);
  return found.flat();
}

async function look(work: HostsWork, machine: Machine, purpose: Purpose): Promise<Facts> {
  const isBalancer = machine === work.machines.balancer;
  const { code, stdout, stderr } = await runTool({
    argv: sshArgv(accessOf(machine, work.machines.acceptNewHostKeys, work.state), AS_ROOT),
    input: isBalancer ? SCRIPT + OF_BALANCER : SCRIPT,
    signal: work.signal,
  });
  if (code !== 0) throw withWayOut(work, machine, sshError(machine, stderr), purpose);
  const said = new Map(stdout.split("\n").map((line) => splitOnce(line)));
  const get = (name: string) => said.get(name) ?? "";
  checkSystem(machine, get);
  if (purpose === "install") checkRoom(machine, Number(get("free")) * 1024);
  return {
    machine,
    architecture: get("architecture"),
    becomes: get("sudo") !== "0",
    hasAppData: get("data") !== "",
    releases: get("releases").split(" ").filter(Boolean).map(releaseAt),
    owner: get("owner") || null,
    hasJournal: get("journal") === "yes",
    adminPassword: get("password") || null,
    deployed: get("deployed") === "" ? null : (JSON.parse(get("deployed")) as HostsRecord),
  };
}

/** A machine that is gone for good must not keep the rest from being changed. */
export function withWayOut(
  { config, machines }: Pick<HostsWork, "config" | "machines">,
  machine: Machine,
  error: UserError,
  purpose: Purpose,
): UserError {
  if (config.target !== "hosts" || error.code !== "host_unreachable") return error;
  const next = [
    ...error.next,
    `if it is gone for good: ${wayOut(machines, machine, config.nodes, purpose)}; then do it again`,
  ];
  return new UserError(error.message, { code: error.code, problems: error.problems, next });
}

function wayOut(
  { apps, balancer }: HostsWork["machines"],
  machine: Machine,
  wanted: number | null,
  purpose: Purpose,
): string {
  const place = apps.indexOf(machine);
  if (place === -1) {
    const entry = machine === balancer ? "hosts/balancer" : "monitoring/host";
    return `put another machine in the place of ${machine.address} as ${entry}`;
  }
  // Data is deleted by machine, whatever its place; a node is its place.
  if (purpose === "remove") return `take ${machine.address} off hosts/apps`;
  const nodes = Math.min(wanted ?? apps.length, apps.length);
  return place > 0 && place >= nodes - 1
    ? `take ${machine.address} off hosts/apps and set nodes: ${Math.min(nodes, place)}`
    : `put another machine in the place of ${machine.address} in hosts/apps: the others' names are their places`;
}

function checkSystem(machine: Machine, get: (name: string) => string): void {
  const where = `${machine.name} (${machine.address})`;
  if (!SYSTEMS.includes(get("system"))) {
    throw new UserError(`expected Debian 12 or Ubuntu 24.04 on ${where}, got ${get("system") || "no name"}`, {
      code: "unknown_distribution",
      next: ["install one of these on it, or list another host in lbctl.yaml"],
    });
  }
  if (get("systemd") !== "yes" || get("python") === "") {
    const lacks = get("python") === "" ? "python3" : "systemd";
    throw new UserError(`expected ${lacks} on ${where}, got none`, {
      code: "host_lacks_program",
      next: [`apt-get install ${lacks}   # on ${machine.address}`],
    });
  }
  if (!ARCHITECTURES.includes(get("architecture"))) {
    throw new UserError(`expected x86_64 or aarch64 on ${where}, got ${get("architecture")}`, {
      code: "unknown_architecture",
      next: ["list another host in lbctl.yaml"],
    });
  }
}

/** @param free bytes */
function checkRoom({ name, address }: Machine, free: number): void {
  if (free >= LEAST_DISK) return;
  throw new UserError(
    `expected ${bytes(LEAST_DISK)} free in /opt and /var/lib on ${name} (${address}), got ${bytes(free)}`,
    {
      code: "disk_full",
      next: [`make room on ${address} (journalctl --vacuum-size=100M, apt-get clean), then deploy again`],
    },
  );
}

function splitOnce(line: string): [string, string] {
  const at = line.indexOf("=");
  return [line.slice(0, at), line.slice(at + 1)];
}

/** @param path `proxy/releases/0.1.0-3f2a9c41/proxy.mjs` */
function releaseAt(path: string): string {
  const [kind, , name] = path.split("/");
  return `${kind}/${name}`;
}

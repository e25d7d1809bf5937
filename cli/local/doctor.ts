/** What target `local` needs of a machine. */
import { accessSync, constants, existsSync, readFileSync, statfsSync } from "node:fs";
import { dirname } from "node:path";
import { type ClusterConfig, CONFIG_FILE } from "../cluster-config.ts";
import { programFile } from "../package.ts";
import { statePaths } from "../state.ts";
import type { Finding } from "../target.ts";
import { bytes, shellWord } from "../tools/format.ts";
import { nodeNames } from "../tools/proxy-config.ts";
import { wantedNodes } from "./goal.ts";
import { monitoringFindings } from "./monitoring/doctor.ts";
import { observe } from "./observed.ts";
import { busyPorts, wantedPorts } from "./preflight.ts";

const MIB = 1024 ** 2;
/** A node and the balancer, as they are without load. */
const MEMORY_PER_PROCESS = 70 * MIB;
const DISK = 1024 * MIB;
const OPEN_FILES = 4096;

export async function localFindings(config: ClusterConfig): Promise<readonly Finding[]> {
  const state = statePaths(config.dir, config.name);
  const nodes = nodeNames(wantedNodes(config, (await observe(state)).record));
  const ports = wantedPorts(config, nodes);
  const busy = await busyPorts(ports, state);
  return [
    platform(),
    runtime(),
    programs(),
    writable(existing(state.dir)),
    finding(
      "ports",
      busy.length === 0,
      busy.length === 0
        ? `${ports.map(({ port }) => port).join(", ")} free or ours`
        : busy.map(({ problem }) => problem).join("; "),
      `choose other ports in ${CONFIG_FILE} (lbctl init writes one), or stop what listens there`,
    ),
    disk(existing(state.dir)),
    memory(nodes.length + 2),
    openFiles(),
    ...monitoringFindings(config),
  ];
}

function finding(check: string, ok: boolean, found: string, mend: string): Finding {
  return { check, ok, found, mend: ok ? "" : mend };
}

function platform(): Finding {
  const ok = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);
  return finding(
    "platform",
    ok,
    `${process.platform} ${process.arch}`,
    "run lbctl on Linux, x64 or arm64 (a virtual machine will do)",
  );
}

function runtime(): Finding {
  const major = Number(process.versions.node.split(".")[0]);
  return finding(
    "Node.js",
    major >= 26,
    process.version,
    "npm install --include=optional   # brings the pinned Node.js 26",
  );
}

function programs(): Finding {
  const missing = (["proxy", "app", "supervisor"] as const)
    .map(programFile)
    .filter((file) => !existsSync(file));
  return finding(
    "programs",
    missing.length === 0,
    missing.length === 0 ? "complete" : `no ${missing.join(", ")}`,
    "npm run build",
  );
}

function writable(dir: string): Finding {
  const mend = `chown or chmod ${shellWord(dir)}, or run lbctl elsewhere`;
  try {
    accessSync(dir, constants.W_OK | constants.X_OK);
    return finding("state directory", true, dir, mend);
  } catch {
    return finding("state directory", false, `${dir} is not writable`, mend);
  }
}

function disk(dir: string): Finding {
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  return finding(
    "disk",
    free >= DISK,
    `${bytes(free)} free, ${bytes(DISK)} wanted for the journal`,
    "free some space, or set proxy: { journal: { maxSize: 256MiB } }",
  );
}

function memory(processes: number): Finding {
  const available =
    Number(/MemAvailable:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0) * 1024;
  const wanted = processes * MEMORY_PER_PROCESS;
  return finding(
    "memory",
    available >= wanted,
    `${bytes(available)} available, about ${bytes(wanted)} wanted`,
    "fewer nodes: lbctl scale --nodes 3",
  );
}

function openFiles(): Finding {
  const limits = readFileSync("/proc/self/limits", "utf8");
  const soft = /Max open files\s+(\S+)/.exec(limits)?.[1] ?? "unlimited";
  const ok = soft === "unlimited" || Number(soft) >= OPEN_FILES;
  return finding("open files", ok, `at most ${soft}, ${OPEN_FILES} wanted`, `ulimit -n ${OPEN_FILES}`);
}

/** The directory, or the nearest one above it that is there. */
function existing(dir: string): string {
  return existsSync(dir) ? dir : existing(dirname(dir));
}

/** `.lbctl/<name>/` beside the config: all that lbctl keeps of a cluster. Paths, and files that are whole or absent. */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorCode, UserError } from "./errors.ts";

export interface StatePaths {
  readonly dir: string;
  /** Held while a command changes the cluster; `lockOwner` says by whom. */
  readonly lock: string;
  readonly lockOwner: string;
  /** One JSON line for each change: when, who, what, how it ended. */
  readonly auditLog: string;
  /** What was deployed last (settings, version, wanted number of nodes). */
  readonly record: string;
  /** lb-proxy's config, written by lbctl. */
  readonly proxyConfig: string;
  readonly adminPassword: string;
  readonly journalKey: string;
  readonly journalHead: string;
  readonly data: string;
  readonly nodes: string;
  readonly logs: string;
  /** Of Prometheus and Grafana: settings and data. */
  readonly monitoring: string;
  /** Which processes are wanted (lbctl writes), and how they are (the supervisor writes). */
  readonly processes: string;
  readonly supervisor: string;
  readonly supervisorLock: string;
}

/** @param dir the directory of lbctl.yaml, or the working directory where there is none */
export function statePaths(dir: string, name: string): StatePaths {
  const state = join(dir, ".lbctl", name);
  return {
    dir: state,
    lock: join(state, "lock"),
    lockOwner: join(state, "lock.json"),
    auditLog: join(state, "audit.log"),
    record: join(state, "cluster.json"),
    proxyConfig: join(state, "proxy.json"),
    adminPassword: join(state, "admin.password"),
    journalKey: join(state, "journal.key"),
    journalHead: join(state, "journal.head"),
    data: join(state, "data"),
    nodes: join(state, "nodes"),
    logs: join(state, "logs"),
    monitoring: join(state, "monitoring"),
    processes: join(state, "processes.json"),
    supervisor: join(state, "supervisor.json"),
    supervisorLock: join(state, "supervisor.lock"),
  };
}

export function nodeDir(state: StatePaths, node: string): string {
  return join(state.nodes, node);
}

export function logFile(state: StatePaths, process: string): string {
  return join(state.logs, `${process}.log`);
}

export async function makeStateDir(state: StatePaths): Promise<void> {
  try {
    await mkdir(dirname(state.dir), { recursive: true, mode: 0o700 });
    for (const dir of [state.dir, state.logs, state.nodes])
      await mkdir(dir, { recursive: true, mode: 0o700 });
    // It may have been made by hand, for a key or for known_hosts.
    await chmod(state.dir, 0o700);
  } catch (cause) {
    throw new UserError(`expected to be able to write to ${state.dir}, got ${errorCode(cause) ?? cause}`, {
      next: ["run lbctl in a directory that you may write to, or name a config there with --config"],
      cause,
    });
  }
}

/** Temp file → fsync → rename → fsync of the folder: after a crash the old content or the new, never a part. */
export async function writeFileSafely(file: string, content: string, mode = 0o600): Promise<void> {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await writeAndSync(temporary, content, mode);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(dirname(file), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeAndSync(file: string, content: string, mode: number): Promise<void> {
  const handle = await open(file, "wx", mode);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFileSafely(file, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * @returns null when there is no such file
 * @throws UserError when it isn't JSON: somebody edited it
 */
export async function readJson<T>(file: string): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new UserError(`expected JSON in ${file}, got something else`, {
      next: ["put back what lbctl wrote, or start over: lbctl destroy"],
      cause,
    });
  }
}

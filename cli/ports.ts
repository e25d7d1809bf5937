/** Who listens where on this machine. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";
import { errorCode } from "./errors.ts";
import { allPids, commandLine } from "./proc.ts";

export type PortState = "free" | "in use" | "not allowed";

export async function portState(port: number): Promise<PortState> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port, host: "127.0.0.1", exclusive: true }, resolve);
    });
    await new Promise((resolve) => server.close(resolve));
    return "free";
  } catch (error) {
    return errorCode(error) === "EACCES" ? "not allowed" : "in use";
  }
}

export interface PortOwner {
  readonly pid: number;
  readonly command: string;
}

/** Null: nobody, or a process of another user. */
export function ownerOf(port: number): PortOwner | null {
  const sockets = listeningSockets(port);
  if (sockets.size === 0) return null;
  const pid = allPids().find((candidate) => hasSocket(candidate, sockets));
  return pid === undefined ? null : { pid, command: commandLine(pid) ?? "?" };
}

function listeningSockets(port: number): Set<string> {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  const found = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readLines(table)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      // 0A: LISTEN
      if (state === "0A" && local?.endsWith(`:${hexPort}`)) found.add(`socket:[${inode}]`);
    }
  }
  return found;
}

function hasSocket(pid: number, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(1);
  } catch {
    return [];
  }
}

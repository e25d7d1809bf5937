/** The proxies that are measured, each as a process of its own in front of the same backends. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Child, startChild } from "./child.ts";
import { findProgram } from "./machine.ts";

export interface Contender {
  readonly name: string;
  readonly version: string;
  readonly url: string;
  readonly child: Child;
}

const ROOT = join(import.meta.dirname, "../..");
const SERVERS = join(import.meta.dirname, "servers");
const BUILT = join(ROOT, "dist/proxy.mjs");
const READY = /^ready (.*)$/m;

export async function startBackends(count: number, dir: string): Promise<{ child: Child; urls: string[] }> {
  const argv = [process.execPath, join(SERVERS, "backend.ts"), String(count)];
  const child = await startChild(argv, join(dir, `backends-${count}.log`), READY);
  return { child, urls: (child.found[0] ?? "").split(" ") };
}

export async function startFloor(backends: readonly string[], dir: string): Promise<Contender> {
  const child = await startNode("floor", backends, dir);
  return { name: "bare undici", version: versionOf("undici"), url: child.found[0] ?? "", child };
}

export async function startFastProxy(backends: readonly string[], dir: string): Promise<Contender> {
  const child = await startNode("fast-proxy", backends, dir);
  return { name: "fast-proxy", version: versionOf("fast-proxy"), url: child.found[0] ?? "", child };
}

/** Null where it isn't installed. */
export async function startHaproxy(backends: readonly string[], dir: string): Promise<Contender | null> {
  const program = findProgram("haproxy");
  if (program === null) return null;
  const port = await freePort();
  const config = join(dir, "haproxy.cfg");
  writeFileSync(config, haproxyConfig(port, backends));
  const child = await startChild([program, "-db", "-f", config], join(dir, "haproxy.log"), /()/);
  const url = `http://127.0.0.1:${port}`;
  await waitForAnswer(url, child);
  const [, version = "unknown"] =
    /version (\S+)/.exec(execFileSync(program, ["-v"], { encoding: "utf8" })) ?? [];
  return { name: "haproxy", version, url, child };
}

export interface LbProxy extends Contender {
  /** How it was run: as built, or from source. */
  readonly from: string;
}

/** With its default settings, log included, and a journal of its own. */
export async function startLbProxy(backends: readonly string[], parent: string): Promise<LbProxy> {
  const dir = mkdtempSync(join(parent, "lb-proxy-"));
  const nodes = backends.map((url, index) => ({ name: `app${index + 1}`, url, empty: true }));
  const config = join(dir, "lb-proxy.json");
  const data = { dataDir: join(dir, "data"), listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" } };
  writeFileSync(config, JSON.stringify({ ...data, nodes }));
  const built = existsSync(BUILT);
  const from = built ? "dist/proxy.mjs" : "proxy/main.ts";
  const argv = [process.execPath, join(ROOT, from), "run", "--config", config];
  const child = await startChild(argv, join(dir, "lb-proxy.log"), /"listen":"([^"]+)".*"msg":"ready"/);
  const url = `http://${child.found[0]}`;
  await waitForAnswer(url, child);
  const stale = built && isOlderThanSource() ? " (OLDER than proxy/*.ts: npm run build)" : "";
  return { name: "lb-proxy", version: versionOf("lbctl"), from: from + stale, url, child };
}

function isOlderThanSource(): boolean {
  const source = join(ROOT, "proxy");
  const newest = Math.max(...readdirSync(source).map((file) => statSync(join(source, file)).mtimeMs));
  return statSync(BUILT).mtimeMs < newest;
}

function startNode(name: string, backends: readonly string[], dir: string): Promise<Child> {
  return startChild(
    [process.execPath, join(SERVERS, `${name}.ts`), ...backends],
    join(dir, `${name}.log`),
    READY,
  );
}

function versionOf(name: string): string {
  const manifest =
    name === "lbctl" ? join(ROOT, "package.json") : join(ROOT, "node_modules", name, "package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

/** One thread, as the others have; else as a distribution sets it up. */
function haproxyConfig(port: number, backends: readonly string[]): string {
  const servers = backends.map((url, index) => `  server app${index + 1} ${new URL(url).host} check`);
  return `global
  nbthread 1
  maxconn 2000
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 30s
  option forwardfor
frontend in
  bind 127.0.0.1:${port}
  default_backend apps
backend apps
  balance roundrobin
  http-reuse safe
${servers.join("\n")}
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("expected a port");
  return address.port;
}

async function waitForAnswer(url: string, child: Child): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    const answer = await fetch(`${url}/login`).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
    if (child.hasEnded()) throw new Error(`expected it to run, got:\n${child.output()}`);
    if (performance.now() > deadline)
      throw new Error(`expected 200 from ${url}, got ${answer?.status ?? "no answer"}`);
    await sleep(50);
  }
}

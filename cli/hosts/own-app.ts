/** A user's own app as a release: everything in its folder, and the command that starts it, packed as they are now. */
import { execFileSync } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { UserError } from "../errors.ts";

/** How the name of such a release begins. */
export const OWN = "app-";

const ARCHIVE = "app.tar.gz";
const COMMAND = "command";

/** History and lbctl's own state: they change with every look at them, and are nothing for a host. */
const LEFT_OUT = new Set([".git", ".hg", ".svn", ".lbctl"]);

/** A release of it, as kept. */
export interface KeptApp {
  /** What is to be unpacked on a host. */
  readonly archive: string;
  readonly command: string;
}

/** @returns null where this release was packed elsewhere, or is gone */
export function keptApp(folder: string): KeptApp | null {
  const [archive, command] = [join(folder, ARCHIVE), join(folder, COMMAND)];
  return existsSync(archive) ? { archive, command: readFileSync(command, "utf8") } : null;
}

/**
 * Packs it, unless this very release is kept already.
 * @param directory the app's
 * @param folderOf where a release of this name is kept
 * @returns `app-3f2a9c41`: the name says what is in it, so that nothing is ever under the name of another
 * @throws UserError where the folder is not there, or holds what can't be packed
 */
export function keepOwnApp(directory: string, command: string, folderOf: (name: string) => string): string {
  const paths = pathsIn(directory);
  const name = `${OWN}${digest(directory, paths, command)}`;
  const folder = folderOf(name);
  if (keptApp(folder)) return name;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, COMMAND), command, { mode: 0o600 });
  pack(directory, paths, join(folder, `${ARCHIVE}.new`));
  renameSync(join(folder, `${ARCHIVE}.new`), join(folder, ARCHIVE));
  return name;
}

/** Below the folder, each before what is in it, in an order that does not depend on the disk. */
function pathsIn(directory: string): string[] {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UserError(`app/directory: expected a folder at ${directory}, got none`, {
      exitCode: 2,
      code: "no_app_directory",
      next: ["correct app: { directory: … } in lbctl.yaml"],
    });
  }
  const below = (folder: string): string[] =>
    readdirSync(join(directory, folder), { withFileTypes: true })
      .filter(({ name }) => !LEFT_OUT.has(name))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? [path, ...below(path)] : [path];
      });
  return below("");
}

/** Of all that would be another app on a host: paths, kinds, contents, what may be executed. */
function digest(directory: string, paths: readonly string[], command: string): string {
  const hash = createHash("sha256").update(`${command}\0`);
  for (const path of paths) addEntry(hash, join(directory, path), path);
  return hash.digest("hex").slice(0, 8);
}

function addEntry(hash: Hash, file: string, path: string): void {
  const found = lstatSync(file);
  if (found.isDirectory()) {
    hash.update(`d\0${path}\0`);
  } else if (found.isSymbolicLink()) {
    hash.update(`l\0${path}\0${readlinkSync(file)}\0`);
  } else if (found.isFile()) {
    const executable = (found.mode & 0o100) !== 0;
    hash.update(`${executable ? "x" : "f"}\0${path}\0${found.size}\0`).update(readFileSync(file));
  }
}

/** Exactly these, and nothing that came meanwhile. The user's own umask is no matter for others on the hosts. */
function pack(directory: string, paths: readonly string[], archive: string): void {
  const plain = paths.filter((path) => isPackable(join(directory, path)));
  const options = ["--create", "--gzip", `--file=${archive}`, `--directory=${directory}`];
  const modes = ["--mode=u+rwX,go+rX,go-w", "--owner=0", "--group=0", "--numeric-owner"];
  writeFileSync(archive, "", { mode: 0o600 });
  execFileSync(
    "tar",
    [...options, ...modes, "--no-recursion", "--verbatim-files-from", "--null", "--files-from=-"],
    {
      input: plain.map((path) => `${path}\0`).join(""),
      maxBuffer: 16 * 1024 * 1024,
    },
  );
}

/** Sockets and pipes are of this machine. */
function isPackable(file: string): boolean {
  const found = lstatSync(file);
  return found.isFile() || found.isDirectory() || found.isSymbolicLink();
}

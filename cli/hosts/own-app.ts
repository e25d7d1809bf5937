/** A user's own app as a release: everything in its folder, and the command that starts it, packed as they are now. */
import { spawnSync } from "node:child_process";
import { createHash, type Hash } from "node:crypto";
import {
  type Dirent,
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
import { errorCode, UserError } from "../errors.ts";

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
 * @throws UserError where the folder is not there, holds what can't be packed, or changes meanwhile
 */
export function keepOwnApp(directory: string, command: string, folderOf: (name: string) => string): string {
  const paths = pathsIn(directory);
  const name = releaseName(directory, paths, command);
  const folder = folderOf(name);
  if (keptApp(folder)) return name;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, COMMAND), command, { mode: 0o600 });
  const archive = join(folder, `${ARCHIVE}.new`);
  pack(directory, paths, archive);
  // Nothing else may ever be under this name.
  if (releaseName(directory, pathsIn(directory), command) !== name) throw changedMeanwhile(directory);
  renameSync(archive, join(folder, ARCHIVE));
  return name;
}

function releaseName(directory: string, paths: readonly string[], command: string): string {
  return `${OWN}${digest(directory, paths, command)}`;
}

function changedMeanwhile(directory: string): UserError {
  return new UserError(`expected ${directory} to stay as it is while it is packed, got a change`, {
    code: "app_changed",
    next: ["end what writes there (a build, an editor), then do it again"],
  });
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
    read(directory, folder, (path) => readdirSync(path, { withFileTypes: true }))
      .filter(({ name }) => !LEFT_OUT.has(name))
      .map((entry) => readable(directory, folder, entry))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = join(folder, entry.name);
        return entry.isDirectory() ? [path, ...below(path)] : [path];
      });
  return below("");
}

/** Node.js writes a name that is not UTF-8 with this, and then finds no such file. */
const NOT_UTF8 = "\uFFFD";

function readable(directory: string, folder: string, entry: Dirent): Dirent {
  if (!entry.name.includes(NOT_UTF8)) return entry;
  throw new UserError(
    `app/directory: expected names in UTF-8 in ${join(directory, folder)}, got ${entry.name}`,
    { exitCode: 2, code: "app_not_packable", next: [`ls -b ${join(directory, folder)}   # and rename it`] },
  );
}

/** @throws UserError naming what cannot be read */
function read<T>(directory: string, path: string, how: (file: string) => T): T {
  const file = join(directory, path);
  try {
    return how(file);
  } catch (cause) {
    throw new UserError(
      `app/directory: expected to be able to read ${file}, got ${errorCode(cause) ?? cause}`,
      {
        code: "app_not_packable",
        next: [`ls -ld ${file}   # give yourself the right to read it, or move it out of ${directory}`],
        cause,
      },
    );
  }
}

/** Of all that would be another app on a host: paths, kinds, contents, what may be executed. */
function digest(directory: string, paths: readonly string[], command: string): string {
  const hash = createHash("sha256").update(`${command}\0`);
  for (const path of paths) read(directory, path, (file) => addEntry(hash, file, path));
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
  const { status, stderr, error } = spawnSync(
    "tar",
    [...options, ...modes, "--no-recursion", "--verbatim-files-from", "--null", "--files-from=-"],
    { input: plain.map((path) => `${path}\0`).join(""), encoding: "utf8" },
  );
  // 1: a file changed while it was read; the caller looks at that.
  if (status === 0 || status === 1) return;
  throw new UserError(`expected tar to pack ${directory}, got ${error?.message ?? `its status ${status}`}`, {
    code: "app_not_packable",
    problems: stderr ? stderr.trim().split("\n").slice(0, 5) : [],
    next: ["df -h .   # room for the archive? Then do it again"],
  });
}

/** Sockets and pipes are of this machine. */
function isPackable(file: string): boolean {
  const found = lstatSync(file);
  return found.isFile() || found.isDirectory() || found.isSymbolicLink();
}

import { homedir } from "node:os";
import { resolve } from "node:path";

/** A file named in lbctl.yaml, absolute: relative to that file's folder, `~/` as the user's own. */
export function fileBeside(dir: string, name: string): string {
  return resolve(dir, name.replace(/^~(?=\/)/, homedir()));
}

/** The number of nodes in lbctl.yaml, written there by lbctl. */
import { readFile, realpath, stat } from "node:fs/promises";
import { parseDocument } from "yaml";
import { errorCode, messageOf, UserError } from "./errors.ts";
import { writeFileSafely } from "./state.ts";

/**
 * Writes the number of nodes into lbctl.yaml, and leaves every other character of it as it is.
 * @throws UserError where it can't be written; it is as it was then
 */
export async function writeNodeCount(file: string, nodes: number): Promise<void> {
  try {
    // The file stays the user's: where a link points to, with the permissions that it has.
    const target = await realpath(file);
    const { mode } = await stat(target);
    await writeFileSafely(target, withNodeCount(await readFile(target, "utf8"), nodes), mode & 0o777);
  } catch (cause) {
    const got = errorCode(cause) ?? messageOf(cause);
    throw new UserError(`expected to be able to write nodes: ${nodes} into ${file}, got ${got}`, {
      next: ["make the file and its folder writable, then do it again: nothing has changed"],
      cause,
    });
  }
}

/** The text of lbctl.yaml with another number of nodes; comments and layout stay. */
export function withNodeCount(text: string, nodes: number): string {
  const document = parseDocument(text);
  const current: unknown = document.get("nodes", true);
  const range = rangeOf(current);
  if (range) return text.slice(0, range[0]) + nodes + text.slice(range[1]);
  document.set("nodes", nodes);
  return document.toString({ lineWidth: 0 });
}

function rangeOf(node: unknown): readonly [number, number] | null {
  if (typeof node !== "object" || node === null || !("range" in node) || !Array.isArray(node.range))
    return null;
  const [start, end] = node.range;
  // An empty value (`nodes:`) has no text to replace.
  return typeof start === "number" && typeof end === "number" && end > start ? [start, end] : null;
}

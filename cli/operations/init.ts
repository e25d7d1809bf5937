import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { CONFIG_FILE } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import type { ClusterRecord } from "../local/goal.ts";
import { withNodeCount } from "../node-count.ts";
import { readJson, statePaths, writeFileSafely } from "../state.ts";
import { CONFIG_TEMPLATE } from "../tools/config-template.ts";

/**
 * Writes a commented lbctl.yaml that says the defaults, and the number of nodes that run here already.
 * @returns its path
 */
export async function init(configFlag: string | undefined): Promise<string> {
  const file = resolve(configFlag ?? CONFIG_FILE);
  if (existsSync(file)) {
    throw new UserError(`expected no ${file} yet, got one: it stays as it is`, {
      next: [
        "lbctl init --print   # shows what would be in a new one",
        "lbctl plan           # what the one there means",
      ],
    });
  }
  try {
    const record = await readJson<ClusterRecord>(statePaths(dirname(file), "default").record);
    const text = record === null ? CONFIG_TEMPLATE : withNodeCount(CONFIG_TEMPLATE, record.nodes);
    await writeFileSafely(file, text, 0o644);
  } catch (cause) {
    throw new UserError(`expected to be able to write ${file}, got ${String(cause)}`, { cause });
  }
  return file;
}

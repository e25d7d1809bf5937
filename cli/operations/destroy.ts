import { existsSync } from "node:fs";
import { loadClusterConfig } from "../config-file.ts";
import { UserError } from "../errors.ts";
import { statePaths } from "../state.ts";
import type { ChangeContext, DestroyOptions } from "../target.ts";
import { targetOf } from "../targets.ts";
import { changeAlone } from "./change.ts";

export interface Destroyed {
  readonly name: string;
  /** False: there was nothing. */
  readonly destroyed: boolean;
}

/** Ends every process and, unless told to keep it, deletes all data: asks first. */
export async function destroy(
  configFlag: string | undefined,
  options: DestroyOptions & { readonly yes: boolean },
  context: ChangeContext,
): Promise<Destroyed> {
  const config = await loadClusterConfig(configFlag);
  const state = statePaths(config.dir, config.name);
  const target = await targetOf(config);
  if (!existsSync(state.dir) && !target.isElsewhere?.(config)) return { name: config.name, destroyed: false };
  const what = options.keepData ? "Stop" : "Stop, and delete all data of,";
  if (!options.yes && !(await context.ui.confirm(`${what} cluster "${config.name}" (${state.dir})?`))) {
    throw new UserError(`expected a yes, got none: "${config.name}" is as it was`, {
      next: [
        "lbctl destroy --yes",
        ...(config.target === "aws"
          ? []
          : ["lbctl destroy --yes --keep-data   # the next deploy goes on with the data"]),
      ],
    });
  }
  const command = options.keepData ? "destroy --keep-data" : "destroy";
  const destroyed = await changeAlone(config, command, () => target.destroy(config, options, context));
  return { name: config.name, destroyed };
}

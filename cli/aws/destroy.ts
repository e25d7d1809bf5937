/** The end of a cluster at AWS: its machines, and what is kept of it here. */
import { rm } from "node:fs/promises";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { statePaths } from "../state.ts";
import type { ChangeContext, DestroyOptions } from "../target.ts";
import type { Ui } from "../ui.ts";
import { refuseOtherAccount } from "./plan-refusals.ts";
import { applyMachines, compare } from "./provision.ts";
import { isBegun, prepare, type Workspace } from "./workspace.ts";

/** @returns false where nothing was there */
export async function destroyMachines(
  config: ClusterConfig,
  { keepData }: DestroyOptions,
  { ui, signal }: ChangeContext,
): Promise<boolean> {
  if (keepData) throw noDataKept();
  const state = statePaths(config.dir, config.name);
  const begun = config.aws.state.backend === "s3" || isBegun(state);
  const needed = begun && (await removeMachines(await prepare(config, signal, "destroy"), ui));
  await rm(state.dir, { recursive: true, force: true });
  return needed;
}

/** @returns false where none was there */
async function removeMachines(work: Workspace, ui: Ui): Promise<boolean> {
  const planned = await compare(work, ui, { destroy: true });
  refuseOtherAccount(planned.plan, work.where);
  if (planned.needed)
    await ui.steps([{ title: "Remove every machine", run: (say) => applyMachines(work, say) }]);
  return planned.needed;
}

function noDataKept(): UserError {
  return new UserError(
    "expected destroy without --keep-data, got it: data on machines goes with the machines",
    {
      code: "keep_data_not_possible",
      exitCode: 2,
      next: ["lbctl destroy", "docs/aws.md tells how to keep a snapshot of the journal's volume"],
    },
  );
}

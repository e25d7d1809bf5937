/** Which machines there are, kept beside the state: status and logs ask neither Terraform nor AWS. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import type { Machines } from "../hosts/machines.ts";
import { readJson, type StatePaths, statePaths, writeJson } from "../state.ts";
import { toMachines } from "./machines.ts";
import type { Outputs } from "./outputs.ts";
import { terraformDir } from "./workspace.ts";

export async function keepOutputs(state: StatePaths, outputs: Outputs | null): Promise<void> {
  if (outputs) await writeJson(file(state), outputs);
  else await rm(file(state), { force: true });
}

/** @returns null where no machine has been made, as far as is known here */
export async function keptOutputs(state: StatePaths): Promise<Outputs | null> {
  return readJson<Outputs>(file(state));
}

/** @throws UserError where nothing is deployed */
export async function machinesOf(config: ClusterConfig): Promise<Machines> {
  const state = statePaths(config.dir, config.name);
  const outputs = await keptOutputs(state);
  if (outputs) return toMachines(config, outputs, state);
  throw new UserError(`expected a deployed cluster "${config.name}", got no machines`, {
    code: "not_deployed",
    next: ["lbctl deploy"],
  });
}

function file(state: StatePaths): string {
  return join(terraformDir(state), "outputs.json");
}

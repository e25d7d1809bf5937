/** Which machines there are, kept beside the state: status and logs ask neither Terraform nor AWS. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import type { Machine, Machines } from "../hosts/machines.ts";
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

/** Whose first start came to its end, seen by the way in that there is: by another way they have to be reached first. */
export async function startedMachines({ config, state }: Cluster): Promise<ReadonlySet<string>> {
  const kept = await readJson<Started>(startedFile(state));
  return new Set(kept?.access === config.aws.access ? kept.identities : []);
}

export async function keepStarted({ config, state }: Cluster, machines: readonly Machine[]): Promise<void> {
  const identities = machines.map(({ identity }) => identity);
  await writeJson(startedFile(state), { access: config.aws.access, identities } satisfies Started);
}

interface Cluster {
  readonly config: ClusterConfig;
  readonly state: StatePaths;
}

interface Started {
  readonly access: ClusterConfig["aws"]["access"];
  readonly identities: readonly string[];
}

function file(state: StatePaths): string {
  return join(terraformDir(state), "outputs.json");
}

function startedFile(state: StatePaths): string {
  return join(terraformDir(state), "started.json");
}

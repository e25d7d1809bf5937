/** `.lbctl/<name>/terraform/`: the configuration as it was synthesized, its state unless that is in S3, plan and log. */
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { providerLock } from "../../infra/provider-lock.ts";
import { AWS_PROVIDER_VERSION } from "../../infra/provider-version.ts";
import type { StackSettings } from "../../infra/settings.ts";
import type { ClusterConfig } from "../cluster-config.ts";
import { errorCode } from "../errors.ts";
import { infraFile } from "../package.ts";
import { readJson, type StatePaths, statePaths, writeFileSafely } from "../state.ts";
import { ensureKey, knownKey } from "./ssh-key.ts";
import { stackSettings } from "./stack-settings.ts";
import { findTerraform, oldestFor, runTerraform, type Terraform } from "./terraform.ts";
import { initArgs, UNSAVED_STATE } from "./terraform-argv.ts";
import { terraformError, type Where } from "./terraform-errors.ts";
import { saveState } from "./unsaved-state.ts";

export interface Workspace {
  readonly config: ClusterConfig;
  readonly state: StatePaths;
  readonly terraform: Terraform;
  readonly where: Where;
  /** Of the machines' user; 0600. */
  readonly keyFile: string;
  /** Its public half; where it is to destroy, perhaps nobody's. */
  readonly publicKey: string;
  readonly signal: AbortSignal;
}

const LOCK_FILE = ".terraform.lock.hcl";
/** Unless it is in S3. */
const STATE_FILE = "terraform.tfstate";

/** In its form, for Terraform to take the configuration: to destroy, nobody needs the key. */
const NO_KEY = "ssh-ed25519 AAAA";

export function terraformDir(state: StatePaths): string {
  return join(state.dir, "terraform");
}

export function keyFile(state: StatePaths): string {
  return join(state.dir, "ssh", "id_ed25519");
}

/** Whether anything was ever begun from here: the lock file alone may have been removed, or not copied. */
export function isBegun(state: StatePaths): boolean {
  const dir = terraformDir(state);
  return [LOCK_FILE, STATE_FILE, UNSAVED_STATE].some((name) => existsSync(join(dir, name)));
}

/** Writes the configuration and gets the provider. Nothing of it changes anything at AWS. */
export async function prepare(
  config: ClusterConfig,
  signal: AbortSignal,
  command: Where["command"] = "deploy",
): Promise<Workspace> {
  const terraform = await findTerraform(oldestFor(config.aws));
  const state = statePaths(config.dir, config.name);
  const dir = terraformDir(state);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const key = keyFile(state);
  const publicKey =
    command === "destroy" ? ((await knownKey(key)) ?? NO_KEY) : await ensureKey(key, config.name);
  const settings = stackSettings(config, publicKey);
  await writeFileSafely(join(dir, "main.tf.json"), (await loadInfra()).synthesize(settings));
  const { region, profile } = config.aws;
  const where = { program: terraform.program, dir, region, profile, command };
  const isFirst = !isBegun(state);
  if (!(await hasOurLock(dir))) await writeFileSafely(join(dir, LOCK_FILE), providerLock());
  let ran = await runTerraform(terraform, dir, initArgs(), signal);
  const moved = ran.code !== 0 && /Backend configuration changed/.test(ran.stderr + ran.stdout);
  if (moved && (await isSamePlace(dir, settings.state)))
    ran = await runTerraform(terraform, dir, initArgs({ reconfigure: true }), signal);
  if (ran.code !== 0) {
    // Nothing was ever begun: there is nothing to destroy.
    if (isFirst) await rm(join(dir, LOCK_FILE), { force: true });
    throw terraformError("get ready", [], ran.stderr || ran.stdout, where);
  }
  await saveState({ terraform, where, signal });
  return { config, state, terraform, where, keyFile: key, publicKey, signal };
}

/** CDKTF and its bindings are in one file of their own, which nothing else loads. */
async function loadInfra(): Promise<typeof import("../../infra/synth.ts")> {
  return (await import(pathToFileURL(infraFile()).href)) as typeof import("../../infra/synth.ts");
}

/** Whether Terraform kept the state in that very object of S3 before, by whatever profile it got there. */
async function isSamePlace(dir: string, wanted: StackSettings["state"]): Promise<boolean> {
  if (wanted.backend !== "s3") return false;
  const kept = await readJson<{ backend?: { type: string; config: Record<string, unknown> } }>(
    join(dir, ".terraform", STATE_FILE),
    // It is Terraform's own, which says what is wrong with it.
  ).catch(() => null);
  const { type, config = {} } = kept?.backend ?? {};
  return type === "s3" && (["bucket", "key", "region"] as const).every((key) => config[key] === wanted[key]);
}

/** After an update of lbctl its version of the provider isn't that of the lock file. */
async function hasOurLock(dir: string): Promise<boolean> {
  return (await lockFile(dir))?.includes(`"${AWS_PROVIDER_VERSION}"`) ?? false;
}

async function lockFile(dir: string): Promise<string | null> {
  try {
    return await readFile(join(dir, LOCK_FILE), "utf8");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return null;
    throw error;
  }
}

/** Machines as lbctl.yaml says: plan, apply exactly that plan, outputs. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import type { Change } from "../target.ts";
import type { Ui } from "../ui.ts";
import { type Outputs, parseOutputs } from "./outputs.ts";
import { type PlanJson, planChanges } from "./plan-changes.ts";
import { followTerraform, runTerraform } from "./terraform.ts";
import {
  applyArgs,
  LOOK_FILE,
  outputArgs,
  PLAN_FILE,
  type PlanOptions,
  planArgs,
  showPlanArgs,
} from "./terraform-argv.ts";
import { terraformError } from "./terraform-errors.ts";
import { renderProgress, TerraformEvents } from "./terraform-events.ts";
import { isUnsaved, stateNotSaved } from "./unsaved-state.ts";
import type { Workspace } from "./workspace.ts";

/** As much of a workspace as Terraform itself needs. */
export type Work = Pick<Workspace, "terraform" | "where" | "signal">;

export interface Planned {
  /** As Terraform says it. */
  readonly plan: PlanJson;
  readonly changes: readonly Change[];
  /** False: nothing at all, not even outputs. */
  readonly needed: boolean;
}

/**
 * What lbctl.yaml would change; nobody applies this plan.
 * @param lock of the state while it looks: false where that would keep an apply of somebody elsewhere from it
 */
export async function lookAhead(work: Work, { lock }: { readonly lock: boolean }): Promise<Planned> {
  try {
    return await plan(work, LOOK_FILE, { lock });
  } finally {
    await rm(join(work.where.dir, LOOK_FILE), { force: true });
  }
}

/** Asks AWS what is there. The plan stays in a file until it is applied or thrown away. */
export function planMachines(work: Work, options: Pick<PlanOptions, "destroy"> = {}): Promise<Planned> {
  return plan(work, PLAN_FILE, options);
}

/** As planMachines, shown while it is at work. */
export async function compare(
  work: Work,
  ui: Ui,
  options: { readonly destroy?: boolean } = {},
): Promise<Planned> {
  const found: Planned[] = [];
  const title = "Compare with what is at AWS";
  await ui.steps([{ title, run: async () => void found.push(await planMachines(work, options)) }]);
  const [planned] = found;
  if (!planned) throw new Error("expected a plan, got none");
  return planned;
}

async function plan(work: Work, file: string, options: PlanOptions): Promise<Planned> {
  const events = new TerraformEvents();
  const { terraform, where, signal } = work;
  const args = planArgs(file, options);
  const ran = await followTerraform(terraform, where.dir, args, signal, (line) => events.take(line));
  signal.throwIfAborted();
  if (ran.code !== 0 && ran.code !== 2) throw terraformError("plan", events.errors, ran.stderr, where);
  const shown = await runTerraform(terraform, where.dir, showPlanArgs(file), signal);
  if (shown.code !== 0) throw terraformError("show the plan", [], shown.stderr, where);
  const found = JSON.parse(shown.stdout) as PlanJson;
  return { plan: found, changes: planChanges(found), needed: ran.code === 2 };
}

/** @param say which resource is being made, changed, deleted; how many are done */
export async function applyMachines(work: Work, say: (detail: string) => void): Promise<void> {
  const events = new TerraformEvents();
  const { terraform, where, signal } = work;
  const ran = await followTerraform(terraform, where.dir, applyArgs(), signal, (line) => {
    if (events.take(line)) say(renderProgress(events.progress));
  });
  await forgetPlan(work);
  if (ran.code === 0 && !signal.aborted && !isUnsaved(where)) return;
  const error = signal.aborted
    ? interrupted(events, signal.reason)
    : terraformError("apply the plan", events.errors, ran.stderr, where);
  throw isUnsaved(where) ? stateNotSaved(where, error) : error;
}

/** A plan is of one moment, and holds what the configuration does. */
export async function forgetPlan({ where }: Work): Promise<void> {
  await rm(join(where.dir, PLAN_FILE), { force: true });
}

/** @returns null where nothing has been made yet */
export async function readOutputs(
  work: Pick<Workspace, "terraform" | "where" | "signal">,
): Promise<Outputs | null> {
  const { terraform, where, signal } = work;
  const ran = await runTerraform(terraform, where.dir, outputArgs(), signal);
  if (ran.code !== 0) throw terraformError("say what there is", [], ran.stderr, where);
  return parseOutputs(ran.stdout);
}

function interrupted(events: TerraformEvents, cause: unknown): UserError {
  const { done, total } = events.progress;
  return new UserError(
    `stopped half-way: ${done} of ${total} changes are done, and Terraform has saved which`,
    {
      code: "apply_interrupted",
      next: ["run the same command again: it goes on from there", "lbctl destroy   # removes what was made"],
      cause,
    },
  );
}

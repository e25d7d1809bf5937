/** Terraform's command lines: pure. OpenTofu's are the same. */

/** Written by plan, applied as it is: nothing else happens than what was shown. */
export const PLAN_FILE = "deploy.tfplan";
/** Of `lbctl plan`: never what a deploy is about to apply. */
export const LOOK_FILE = "look.tfplan";

/** @param reconfigure the state is where it was; how it is reached (a profile) is another */
export function initArgs({ reconfigure = false }: { readonly reconfigure?: boolean } = {}): string[] {
  return ["init", "-input=false", "-no-color", ...(reconfigure ? ["-reconfigure"] : [])];
}

export interface PlanOptions {
  readonly destroy?: boolean;
  /** False: nobody else is kept from the state, and nobody keeps this one from it. */
  readonly lock?: boolean;
}

/** Exit code 0: nothing to change; 2: something. */
export function planArgs(file: string, { destroy = false, lock = true }: PlanOptions = {}): string[] {
  return [
    "plan",
    "-input=false",
    "-json",
    "-detailed-exitcode",
    `-out=${file}`,
    ...(destroy ? ["-destroy"] : []),
    ...(lock ? [] : ["-lock=false"]),
  ];
}

export function showPlanArgs(file: string): string[] {
  return ["show", "-json", "-no-color", file];
}

export function applyArgs(): string[] {
  return ["apply", "-input=false", "-json", PLAN_FILE];
}

export function outputArgs(): string[] {
  return ["output", "-json", "-no-color"];
}

/** Where Terraform leaves the state when it cannot put it in its place. */
export const UNSAVED_STATE = "errored.tfstate";

/** Refused by Terraform itself where the state there is another, or newer. */
export function pushStateArgs(): string[] {
  return ["state", "push", "-no-color", UNSAVED_STATE];
}

export function versionArgs(): string[] {
  return ["version", "-json"];
}

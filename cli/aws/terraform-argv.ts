/** Terraform's command lines: pure. OpenTofu's are the same. */

/** Written by plan, applied as it is: nothing else happens than what was shown. */
export const PLAN_FILE = "deploy.tfplan";
/** Of `lbctl plan`, which may look while a deploy is at work. */
export const LOOK_FILE = "look.tfplan";

export function initArgs(): string[] {
  return ["init", "-input=false", "-no-color"];
}

export function validateArgs(): string[] {
  return ["validate", "-json"];
}

/** Exit code 0: nothing to change; 2: something. */
export function planArgs(file: string, { destroy = false }: { readonly destroy?: boolean } = {}): string[] {
  return [
    "plan",
    "-input=false",
    "-json",
    "-detailed-exitcode",
    `-out=${file}`,
    ...(destroy ? ["-destroy"] : []),
  ];
}

export function showPlanArgs(file: string): string[] {
  return ["show", "-json", file];
}

export function applyArgs(): string[] {
  return ["apply", "-input=false", "-json", PLAN_FILE];
}

export function outputArgs(): string[] {
  return ["output", "-json"];
}

export function versionArgs(): string[] {
  return ["version", "-json"];
}

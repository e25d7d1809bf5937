import type { TerraformElement } from "./cdktf.ts";

/**
 * Gives an element the address `<type>.<name>`, whichever construct it is in. Addresses are what state is kept by: one
 * that stays the same is a machine that stays; a number in a list is not.
 */
export function named<T extends TerraformElement>(name: string, element: T): T {
  element.overrideLogicalId(name);
  return element;
}

/** A name that people see in the console: `lbctl-shop-app1`. */
export function visibleName(cluster: string, name: string): string {
  return `lbctl-${cluster}-${name}`;
}

/**
 * Begins a name that has to be the only one of its kind; AWS' provider adds to it. What was being made when Terraform was
 * stopped may be there and in no state: the next deploy must not meet its name. A role's may have 38 characters.
 */
export function freeName(cluster: string): string {
  return visibleName(cluster, "").slice(0, 38);
}

/** Terraform's plans as tests write them down. */
import type { PlanJson } from "../../../cli/aws/plan-changes.ts";

type Changed = NonNullable<PlanJson["resource_changes"]>[number];

/** As `terraform show -json` has it (format 1.2). */
export function resource(
  address: string,
  actions: string[],
  change: Partial<Changed["change"]> = {},
): Changed {
  const [type = "", name = ""] = address.split(".");
  return { address, mode: "managed", type, name, change: { actions, before: null, after: null, ...change } };
}

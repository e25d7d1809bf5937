/** Terraform's plan, as what lbctl shows of every target. Pure. */
import { UserError } from "../errors.ts";
import type { Change } from "../target.ts";
import { plural } from "../tools/format.ts";
import type { Where } from "./terraform-errors.ts";

/** Of `terraform show -json`, what is used here. */
export interface PlanJson {
  readonly resource_changes?: readonly ResourceChange[];
  /** What is at AWS otherwise than the state says: it was changed, or is not there any more. */
  readonly resource_drift?: readonly ResourceChange[];
}

interface ResourceChange {
  readonly address: string;
  readonly mode: string;
  readonly type: string;
  readonly name: string;
  /** `replace_because_tainted`: it was never made to its end. */
  readonly action_reason?: string;
  readonly change: {
    readonly actions: readonly string[];
    readonly before: Values | null;
    readonly after: Values | null;
    /** What made it a replacement: lists of keys. */
    readonly replace_paths?: readonly (readonly unknown[])[];
  };
}

type Values = Readonly<Record<string, unknown>>;

const NODE = /^app\d+$/;
const JOURNAL = "aws_ebs_volume.journal";

export function planChanges(plan: PlanJson): Change[] {
  return managed(plan).flatMap(({ address, type, change }): Change[] => {
    const { actions, before, after } = change;
    if (actions.includes("delete") && actions.includes("create")) {
      const because = (change.replace_paths ?? []).map((path) => path.join("/")).join(", ");
      return [{ action: "replace", what: address, detail: because && `another ${because}` }];
    }
    if (actions.includes("create"))
      return [{ action: "create", what: address, detail: summary(type, after) }];
    if (actions.includes("delete"))
      return [{ action: "remove", what: address, detail: summary(type, before) }];
    if (actions.includes("update"))
      return [{ action: "change", what: address, detail: differences(before, after) }];
    return [];
  });
}

/**
 * What a plan may never do, whoever says yes to it: nodes' state is on them and nowhere else, and the journal has what
 * they have not got yet. `destroy` is another matter.
 * @throws UserError where no node that there is would be left with what it holds, or the journal would be lost
 */
export function refuseLosingData(plan: PlanJson): void {
  const nodes = managed(plan).filter(
    ({ type, name, change, action_reason }) =>
      type === "aws_instance" && isNode(name) && change.before !== null && action_reason !== NEVER_WHOLE,
  );
  const journal = managed(plan).find(({ address }) => address === JOURNAL);
  if (journal) refuseSmaller(journal);
  if (nodes.length === 0) return;
  const lost = nodes.filter(({ change }) => change.actions.includes("delete"));
  if (lost.length === nodes.length) throw noNodeLeft(lost);
  if (journal?.change.before && journal.change.actions.includes("delete")) throw journalLost(journal);
}

/**
 * With the credentials of another account, or another region, nothing of a cluster is there: it would be made a second
 * time, or be forgotten.
 * @throws UserError where the state knows of machines, and AWS of none of them
 */
export function refuseOtherAccount(
  plan: PlanJson,
  { profile, region }: Pick<Where, "profile" | "region">,
): void {
  const isMachine = ({ type }: ResourceChange) => type === "aws_instance";
  const gone = (plan.resource_drift ?? []).filter(
    (drift) => isMachine(drift) && drift.change.actions.includes("delete"),
  );
  const left = managed(plan).some((change) => isMachine(change) && change.change.before !== null);
  if (gone.length === 0 || left) return;
  throw new UserError(
    `expected the cluster's ${plural(gone.length, "machine")} in this account and ${region}, got none of them`,
    {
      code: "aws_other_account",
      problems: gone.map(({ address, change }) => `${address} ${change.before?.id ?? ""}: not there`),
      next: [
        `aws sts get-caller-identity${profile === null ? "" : ` --profile ${profile}`}   # is it the account that the cluster is in?`,
        "docs/aws.md tells what to do if somebody removed the machines by hand",
      ],
    },
  );
}

/** Terraform stopped while it made this one: nothing is on it. */
const NEVER_WHOLE = "replace_because_tainted";

function refuseSmaller({ change: { actions, before, after } }: ResourceChange): void {
  const [there, wanted] = [Number(before?.size), Number(after?.size)];
  if (!actions.includes("update") || !(wanted < there)) return;
  throw new UserError(
    `expected a journal of at least the ${there} GiB that it has, got aws/journal/size: ${wanted}`,
    {
      code: "aws_journal_would_shrink",
      next: [`set aws: { journal: { size: ${there} } } in lbctl.yaml: a volume of AWS can only grow`],
    },
  );
}

function noNodeLeft(lost: readonly ResourceChange[]): UserError {
  return new UserError(
    "expected a node to stay, got a plan that replaces or removes all of them and their data",
    {
      code: "aws_would_lose_all_nodes",
      problems: lines(lost),
      next: [
        "take back the change of lbctl.yaml that causes it (aws/image, aws/network and aws/region replace machines)",
        "docs/aws.md tells how to replace machines one by one; lbctl destroy, if the data may go",
      ],
    },
  );
}

function journalLost(journal: ResourceChange): UserError {
  return new UserError(
    "expected the journal to stay, got a plan that replaces or removes its volume, with all writes in it and its keys",
    {
      code: "aws_would_lose_journal",
      problems: lines([journal]),
      next: [
        "take back the change of lbctl.yaml that causes it (a volume stays in its zone: aws/network/publicSubnet must be in the same)",
        "docs/aws.md tells how to keep a snapshot of it; lbctl destroy, if the data may go",
      ],
    },
  );
}

function lines(changes: readonly ResourceChange[]): string[] {
  return planChanges({ resource_changes: changes }).map(
    ({ action, what, detail }) => `${action} ${what}: ${detail}`,
  );
}

/** Machines that would come, in the place of another or not: `balancer`, `app4`. */
export function madeMachines(plan: PlanJson): string[] {
  return machines(plan, (actions) => actions.includes("create"));
}

/** Machines that stay, and stop and start on the way to another type. */
export function restartedMachines(plan: PlanJson): string[] {
  return managed(plan)
    .filter(({ type, change: { actions, before, after } }) => {
      const stays = type === "aws_instance" && actions.includes("update");
      return stays && before?.instance_type !== after?.instance_type;
    })
    .map(({ name }) => name);
}

/** Nodes whose machine would go for good. */
export function removedNodes(plan: PlanJson): string[] {
  return machines(plan, (actions) => actions.includes("delete") && !actions.includes("create")).filter(
    isNode,
  );
}

/** Nodes whose machine would be another one. */
export function replacedNodes(plan: PlanJson): string[] {
  return machines(plan, (actions) => actions.includes("delete") && actions.includes("create")).filter(isNode);
}

function machines(plan: PlanJson, fits: (actions: readonly string[]) => boolean): string[] {
  return managed(plan)
    .filter(({ type, change }) => type === "aws_instance" && fits(change.actions))
    .map(({ name }) => name);
}

function isNode(name: string): boolean {
  return NODE.test(name);
}

function managed({ resource_changes = [] }: PlanJson): readonly ResourceChange[] {
  return resource_changes.filter(({ mode }) => mode === "managed");
}

/** What people know a resource by, beside its address. */
function summary(type: string, values: Values | null): string {
  const say = (key: string, unit = "") =>
    values?.[key] === undefined || values[key] === null ? "" : `${values[key]}${unit}`;
  if (type === "aws_instance") return say("instance_type");
  if (type === "aws_ebs_volume") return say("size", " GiB");
  if (type.startsWith("aws_vpc_security_group_")) return `port ${say("from_port")} ${say("description")}`;
  return say("cidr_block") || say("destination_cidr_block") || say("description");
}

function differences(before: Values | null, after: Values | null): string {
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return keys
    .map((key) => ({
      key,
      old: JSON.stringify(before?.[key] ?? null),
      next: JSON.stringify(after?.[key] ?? null),
    }))
    .filter(({ old, next }) => old !== next)
    .map(({ key, old, next }) => `${key} ${shorten(old)} → ${shorten(next)}`)
    .join(", ");
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

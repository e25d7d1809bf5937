/** Terraform's plan, as what lbctl shows of every target. Pure. */
import type { Change } from "../target.ts";
import { type Outputs, toOutputs } from "./outputs.ts";

/** Of `terraform show -json`, what is used here. */
export interface PlanJson {
  readonly resource_changes?: readonly ResourceChange[];
  /** What is at AWS otherwise than the state says: it was changed, or is not there any more. */
  readonly resource_drift?: readonly ResourceChange[];
  /** Of each output, what the last apply that came to its end wrote. */
  readonly output_changes?: Readonly<Record<string, { readonly before: unknown }>>;
}

export interface ResourceChange {
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
    /** True for what nobody knows before it is done. */
    readonly after_unknown?: Values;
    /** What made it a replacement: lists of keys. */
    readonly replace_paths?: readonly (readonly unknown[])[];
  };
}

type Values = Readonly<Record<string, unknown>>;

const NODE = /^app\d+$/;

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
    if (actions.includes("update")) return [{ action: "change", what: address, detail: differences(change) }];
    return [];
  });
}

/** Machines that would come, in the place of another or not: `balancer`, `app4`. */
export function madeMachines(plan: PlanJson): string[] {
  return machines(plan, (actions) => actions.includes("create"));
}

/** Machines that stay, and stop and start on the way to another type. */
export function restartedMachines(plan: PlanJson): string[] {
  return managed(plan)
    .filter((resource) => {
      const { actions, before, after } = resource.change;
      const stays = isMachine(resource) && actions.includes("update");
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

/** Addresses of what would come, in the place of another or not. */
export function madeResources(plan: PlanJson): string[] {
  return managed(plan)
    .filter(({ change }) => change.actions.includes("create"))
    .map(({ address }) => address);
}

/** Nodes whose machine would be another one. */
export function replacedNodes(plan: PlanJson): string[] {
  return machines(plan, (actions) => actions.includes("delete") && actions.includes("create")).filter(isNode);
}

/**
 * Machines that there are as the plan found them: what the last whole apply said, and of each that somebody replaced by
 * Terraform alone since (`-target`, which leaves outputs as they are) what is there now.
 * @returns null where no apply has come to its end yet: a later one that fails leaves the outputs of before
 */
export function machinesThere(plan: PlanJson): Outputs | null {
  const { balancer, nodes } = plan.output_changes ?? {};
  if (!balancer?.before || !nodes?.before) return null;
  const outputs = toOutputs({ balancer: { value: balancer.before }, nodes: { value: nodes.before } });
  if (outputs === null) return null;
  const there = new Map(
    managed(plan)
      .filter((resource) => isMachine(resource))
      .map(({ name, change }) => [name, change.before] as const),
  );
  const now = (name: string) => {
    const { id, private_ip } = there.get(name) ?? {};
    return typeof id === "string" && typeof private_ip === "string" ? { instance_id: id, private_ip } : {};
  };
  return {
    balancer: { ...outputs.balancer, ...now("balancer") },
    nodes: outputs.nodes.map((node) => ({ ...node, ...now(node.name) })),
  };
}

function machines(plan: PlanJson, fits: (actions: readonly string[]) => boolean): string[] {
  return managed(plan)
    .filter((resource) => isMachine(resource) && fits(resource.change.actions))
    .map(({ name }) => name);
}

export function isMachine({ type }: ResourceChange): boolean {
  return type === "aws_instance";
}

export function isNode(name: string): boolean {
  return NODE.test(name);
}

export function managed({ resource_changes = [] }: PlanJson): readonly ResourceChange[] {
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

function differences({ before, after, after_unknown = {} }: ResourceChange["change"]): string {
  const [was, becomes] = [flat(before ?? {}), flat(after ?? {})];
  return [...new Set([...was.keys(), ...becomes.keys(), ...Object.keys(after_unknown)])]
    .map((key) => ({
      key,
      old: was.get(key) ?? "null",
      next: after_unknown[key] === true ? "known once it is done" : (becomes.get(key) ?? "null"),
    }))
    .filter(({ old, next }) => old !== next)
    .map(({ key, old, next }) => `${key} ${shorten(old)} → ${shorten(next)}`)
    .join(", ");
}

/** A map's entries each by itself (`tags_all/Team`); `tags` are among `tags_all`. */
function flat(values: Values): Map<string, string> {
  const entries = Object.entries(values)
    .filter(([key]) => key !== "tags" || !("tags_all" in values))
    .flatMap(([key, value]): (readonly [string, unknown])[] =>
      value !== null && typeof value === "object" && !Array.isArray(value)
        ? Object.entries(value).map(([inner, each]) => [`${key}/${inner}`, each] as const)
        : [[key, value]],
    );
  return new Map(entries.map(([key, value]) => [key, JSON.stringify(value)]));
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

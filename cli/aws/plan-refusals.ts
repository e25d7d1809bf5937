/** What a plan may never do, whoever says yes to it. Pure. */
import { dirname } from "node:path";
import { AGENT } from "../../infra/user-data.ts";
import { UserError } from "../errors.ts";
import { plural, shellWord } from "../tools/format.ts";
import { profileFlag } from "./cli-flags.ts";
import {
  isMachine,
  isNode,
  machinesThere,
  madeResources,
  managed,
  type PlanJson,
  planChanges,
  type ResourceChange,
  removedNodes,
} from "./plan-changes.ts";
import { keyOf } from "./ssh-key.ts";
import type { Where } from "./terraform-errors.ts";

const JOURNAL = "aws_ebs_volume.journal";

/**
 * Nodes' state is on them and nowhere else, and the journal has what they have not got yet. `destroy` is another matter.
 * @param joined ids of machines whose nodes the balancer knows; a machine that was made and never joined holds nothing.
 *   None are known where nothing is on record: then every machine may hold something
 * @throws UserError where no node would be left with what it holds, or the journal would be lost
 */
export function refuseLosingData(plan: PlanJson, joined: ReadonlySet<string> = new Set()): void {
  const whole = new Set([...joined, ...onceMade(plan)]);
  const there = managed(plan).filter(
    (resource) =>
      isMachine(resource) &&
      isNode(resource.name) &&
      resource.change.before !== null &&
      (resource.action_reason !== TAINTED || whole.has(String(resource.change.before.id))),
  );
  const holding = there.filter(({ change }) => joined.has(String(change.before?.id)));
  const nodes = holding.length > 0 ? holding : there;
  const journal = managed(plan).find(({ address }) => address === JOURNAL);
  if (journal) refuseSmaller(journal);
  if (nodes.length === 0) return;
  const lost = nodes.filter(({ change }) => change.actions.includes("delete"));
  if (lost.length === nodes.length) throw noNodeLeft(lost);
  if (journal?.change.before && journal.change.actions.includes("delete")) throw journalLost(journal);
}

/**
 * With the credentials of another account, or another region, nothing of a cluster is there: it would be made a second
 * time, or be forgotten. Roles are the account's, and are there in every region.
 * @throws UserError where the state knows of machines, and AWS of none of them; or of whatever else, and AWS of nothing
 */
export function refuseOtherAccount(
  plan: PlanJson,
  { profile, region }: Pick<Where, "profile" | "region">,
): void {
  const drifted = (plan.resource_drift ?? []).filter(
    ({ mode, change }) => mode === "managed" && change.actions.includes("delete"),
  );
  const there = managed(plan).filter(({ change }) => change.before !== null);
  const machines = drifted.filter(isMachine);
  const lost = machines.length > 0 && !there.some(isMachine) ? machines : drifted;
  if (lost.length === 0 || (lost !== machines && there.some(({ type }) => !type.startsWith("aws_iam_"))))
    return;
  const what = plural(lost.length, lost === machines ? "machine" : "resource");
  throw new UserError(`expected the cluster's ${what} in this account and ${region}, got none of them`, {
    code: "aws_other_account",
    problems: lost.map(({ address, change }) => `${address} ${change.before?.id ?? ""}: not there`),
    next: [
      `aws sts get-caller-identity${profileFlag(profile)}   # is it the account that the cluster is in?`,
      "docs/aws.md tells what to do if somebody removed the machines by hand",
    ],
  });
}

/**
 * AWS puts the key on a machine when it makes it, and never again: with another one nobody would reach them all.
 * @param publicKey of the key that is here
 * @throws UserError where machines are there that have another key
 */
export function refuseOtherKey(plan: PlanJson, publicKey: string, file: string): void {
  const there = managed(plan).filter(({ change }) => change.before !== null);
  if (!there.some(isMachine)) return;
  // The outputs tell of the last whole apply; without one, whether the pair would be another.
  const known = plan.output_changes?.public_key?.before;
  const isOther =
    typeof known === "string"
      ? keyOf(known) !== keyOf(publicKey)
      : there.some(({ type, change }) => type === "aws_key_pair" && change.actions.includes("create"));
  if (!isOther) return;
  const dir = dirname(file);
  throw new UserError(`expected the key that the cluster's machines know, got another one (${file})`, {
    code: "ssh_key_differs",
    next: [
      `mv ${shellWord(dir)} ${shellWord(`${dir}.other`)}   # and copy this folder from where the cluster was deployed; then the same command again`,
      "lbctl destroy needs no key",
    ],
  });
}

/**
 * Those that stay are installed on before the apply, while those that go are drained: nothing may wait for that apply.
 * @param wanted nodes
 * @throws UserError where a plan takes nodes of the cluster away, and makes something
 */
export function refuseFewerAndMore(plan: PlanJson, wanted: number): void {
  const there = machinesThere(plan);
  const making = madeResources(plan);
  if (there === null || making.length === 0 || removedNodes(plan).length === 0) return;
  throw new UserError("expected fewer nodes, and nothing else to be made, got both", {
    code: "aws_fewer_nodes_alone",
    problems: making.map((address) => `create ${address}`),
    next: [
      `set nodes: ${there.nodes.length} in lbctl.yaml, as it was; then lbctl deploy   # makes what is missing`,
      `lbctl scale --nodes ${wanted}`,
    ],
  });
}

/**
 * Session Manager's agent comes with a machine's first start: one that was made for SSH has none, and its port would be closed.
 * @throws UserError where a cluster that is reached by SSH would be left without a way in
 */
export function refuseLosingWayIn(plan: PlanJson): void {
  const there = managed(plan).filter((resource) => isMachine(resource) && resource.change.before !== null);
  const stay = there.filter(
    ({ change }) => !change.actions.includes("delete") && !hasAgent(change.before ?? {}),
  );
  const toSessions = managed(plan).some(
    ({ type, change }) =>
      type === "aws_iam_instance_profile" && change.before === null && change.actions.includes("create"),
  );
  if (!toSessions || stay.length === 0) return;
  throw new UserError(
    "expected a way into the machines that run, got aws/access: ssm for some that were made for ssh",
    {
      code: "aws_would_lose_way_in",
      problems: stay.map(({ address }) => `${address} has no agent of Session Manager`),
      next: ["set aws: { access: ssh } in lbctl.yaml again; another cluster can be made with ssm"],
    },
  );
}

/** By its profile, or, where that was taken away since, by the script of its first start. */
function hasAgent({ iam_instance_profile, user_data }: Readonly<Record<string, unknown>>): boolean {
  return Boolean(iam_instance_profile) || String(user_data).includes(AGENT);
}

/** Terraform stopped while it made this one, so that nothing is on it; or somebody tainted it later. */
const TAINTED = "replace_because_tainted";

/** Ids of nodes that an apply has made to their end: it names them in its outputs, whoever asks and from where. */
function onceMade({ output_changes }: PlanJson): string[] {
  const nodes = (output_changes?.nodes?.before ?? {}) as Readonly<Record<string, { instance_id?: unknown }>>;
  return Object.values(nodes).map(({ instance_id }) => String(instance_id));
}

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

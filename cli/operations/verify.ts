import type { VerifiedNode, VerifyReport } from "../../proxy/api.ts";
import type { Verification } from "../tools/render-verify.ts";
import { reach } from "./reach.ts";

/** Digests of all nodes, each taken at one seq where its deliveries pause. */
export async function verify(configFlag: string | undefined, signal: AbortSignal): Promise<Verification> {
  await using reached = await reach(configFlag, signal);
  const report = await reached.admin.verify();
  return { report, problems: differences(report), next: nextSteps(report) };
}

export function differences(report: VerifyReport): string[] {
  const groups = groupsOf(report);
  const held = groups.map((names) => names.join(", ")).join(" | ");
  return [
    ...(groups.length > 1 ? [`expected the same digest of every node, got ${groups.length}: ${held}`] : []),
    ...seqProblems(report),
    ...uncompared(report).map(
      ({ name, error }) => `${name} is not comparable: ${error ?? "it has no digest"}`,
    ),
  ];
}

function nextSteps(report: VerifyReport): string[] {
  const resync =
    "lbctl nodes resync NAME --from DONOR   # gives the one that is wrong the state of one that is right";
  const status = "lbctl status   # the states of the nodes; once they are mended: lbctl verify";
  return [
    ...(groupsOf(report).length > 1 ? [resync] : []),
    ...(uncompared(report).length > 0 ? [status] : []),
  ];
}

/** Names of those that hold the same, the largest group first. */
function groupsOf({ nodes }: VerifyReport): string[][] {
  const groups = Map.groupBy(
    nodes.filter(({ digest }) => digest !== null),
    ({ digest }) => digest,
  );
  return [...groups.values()]
    .map((group) => group.map(({ name }) => name))
    .sort((a, b) => b.length - a.length);
}

function uncompared({ nodes }: VerifyReport): VerifiedNode[] {
  return nodes.filter(({ digest }) => digest === null);
}

/** Digests that were taken at different writes say nothing. */
function seqProblems({ nodes, seq }: VerifyReport): string[] {
  const at = nodes.filter(({ digest }) => digest !== null).map(({ name }) => `${name} ${seq[name]}`);
  const different = new Set(at.map((one) => one.split(" ")[1])).size > 1;
  return different ? [`expected every digest at the same write, got ${at.join(", ")}`] : [];
}

/** The last words of deploy, rollback and scale. */
import { styleText } from "node:util";
import type { Releases } from "../hosts/record.ts";
import type { Deployed } from "../operations/deploy.ts";
import type { Scaled } from "../operations/scale.ts";
import { plural } from "./format.ts";
import { renderEntry } from "./render.ts";

export function renderDeployed({ changes, cluster, dashboards }: Deployed): string {
  const nodes = plural(cluster.nodes.length, "node");
  const head =
    changes.length === 0
      ? `nothing to do: cluster "${cluster.name}" runs with ${nodes}`
      : `${styleText("green", "✔")} cluster "${cluster.name}" runs with ${nodes}`;
  return [
    "",
    head,
    "",
    renderEntry(cluster, dashboards, exampleName()),
    "",
    `Then: lbctl status, lbctl bench, ${cluster.target === "local" ? "lbctl scale --nodes 7, " : ""}lbctl destroy`,
  ].join("\n");
}

/** @param before where another rollback goes: mostly to what this one left */
export function renderRolledBack(done: Deployed, before: Releases | null): string {
  const next =
    before === null
      ? "There is no release to go back to from here; lbctl deploy goes forth."
      : `The release before is now ${namesOf(before)}: another lbctl rollback goes there, not further back.`;
  return `${renderDeployed(done)}\n\n${next}`;
}

function namesOf({ proxy, app }: Releases): string {
  return app === null ? proxy : `${proxy} with app ${app}`;
}

export function renderScaled({ changes, cluster }: Scaled): string {
  const nodes = cluster.nodes.map(({ name }) => name).join(", ");
  return changes.length === 0
    ? `nothing to do: ${nodes}`
    : `\n${styleText("green", "✔")} ${plural(cluster.nodes.length, "node")}: ${nodes}`;
}

export function deployedAsJson({ changes, cluster, ...more }: Scaled | Deployed) {
  const { state: _, ...rest } = cluster;
  return { changes, ...rest, ...more };
}

/** Another one each time, so that the lines shown work even if those shown before were pasted, too. */
function exampleName(): string {
  return `ada-${Date.now().toString(36).slice(-4)}`;
}

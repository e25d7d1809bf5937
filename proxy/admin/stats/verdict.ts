import type { NodeStatus, Tone } from "../../api.ts";
import { type Html, html } from "../html.ts";
import { age, plural, rate, share } from "./format.ts";
import type { StatsView } from "./view.ts";

/** Something that an operator may have to look at, and what to do about it. */
export interface Finding {
  readonly tone: Exclude<Tone, "good">;
  readonly what: Html;
  readonly todo: Html;
}

/** Samples that "now" looks back over, for errors and for whether a backlog shrinks. */
const RECENT = 30;
const JOURNAL_NEARLY_FULL = 0.8;
const MANY_ERRORS = 0.01;

/** Is anything wrong? Which node? What to do? The worst first; none: all is well. */
export function findings(view: StatsView): Finding[] {
  const { nodes } = view.status;
  const all = [
    ...serving(view),
    ...nodes.flatMap((node) => nodeFinding(node, view)),
    ...failing(view),
    ...journal(view),
  ];
  const order = ["bad", "busy", "off"];
  return all.toSorted((a, b) => order.indexOf(a.tone) - order.indexOf(b.tone));
}

function serving({ status, ready }: StatsView): Finding[] {
  if (status.draining) {
    return [
      { tone: "off", what: html`The balancer is shutting down.`, todo: html`What is in flight is finished.` },
    ];
  }
  if (ready) return [];
  const reads = status.inSync === 0 ? "Reads and writes" : "Writes";
  return [
    {
      tone: "bad",
      what: html`<b>${reads} are refused:</b> ${status.inSync} of ${status.nodes.length} nodes in-sync, ${status.minInSync} needed.`,
      todo: html`Bring back one of the nodes below.`,
    },
  ];
}

function nodeFinding(node: NodeStatus, view: StatsView): Finding[] {
  const name = html`<b>${node.name}</b>`;
  const since = age((view.now - node.since) / 1000);
  const why = node.reason ?? "no reason given";
  switch (node.state) {
    case "quarantined":
      return [
        {
          tone: "bad",
          what: html`${name} is quarantined: ${why}.`,
          todo: html`Mend it, then press Resync, or <code>lbctl nodes resync ${node.name}</code>.`,
        },
      ];
    case "down":
      return [
        {
          tone: "bad",
          what: html`${name} is down for ${since}: ${why}.`,
          todo: html`Bring it back; it catches up by itself. <code>lbctl logs ${node.name}</code>`,
        },
      ];
    case "joining":
      return [{ tone: "busy", what: html`${name} joins: ${node.bootstrap ?? why}.`, todo: html`` }];
    case "catching-up":
      return [catchingUp(node, view)];
    case "draining":
    case "maint":
      return [
        {
          tone: "off",
          what: html`${name} is ${node.state} for ${since}: ${why}.`,
          todo: html`Ready ends it.`,
        },
      ];
    default:
      return [];
  }
}

function catchingUp(node: NodeStatus, { nodes }: StatsView): Finding {
  const lags = nodes.get(node.name)?.line("lag").slice(-RECENT) ?? [];
  const [before = null] = lags.filter((lag) => lag !== null);
  const pace = before === null ? 0 : (before - node.lag) / Math.max(1, lags.length - 1);
  if (node.lag === 0) {
    const what = html`<b>${node.name}</b> has caught up but for what is under way.`;
    return { tone: "busy", what, todo: html`Nothing to do.` };
  }
  const left = html`<b>${node.name}</b> catches up: ${plural(node.lag, "write")} to go`;
  if (pace > 0)
    return { tone: "busy", what: html`${left}, about ${age(node.lag / pace)}.`, todo: html`Nothing to do.` };
  if (lags.length < RECENT) return { tone: "busy", what: html`${left}.`, todo: html`` };
  return {
    tone: "bad",
    what: html`${left}, and they don't get fewer.`,
    todo: html`It is too slow or fails: <code>lbctl logs ${node.name}</code>`,
  };
}

/** More than a few of the last half minute's requests failed. */
function failing({ cluster }: StatsView): Finding[] {
  return (["read", "write"] as const).flatMap((kind) => {
    const all = sum(cluster.line(`${kind}s`));
    const errors = sum(cluster.line(`${kind}Errors`));
    if (errors === 0 || errors < all * MANY_ERRORS) return [];
    return [
      {
        tone: "bad" as const,
        what: html`<b>${share(errors, all)} of the ${kind}s fail</b> (${rate(errors / RECENT)} a second).`,
        todo: html`<code>lbctl logs</code> says why.`,
      },
    ];
  });
}

function sum(line: readonly (number | null)[]): number {
  return line.slice(-RECENT).reduce<number>((total, value) => total + (value ?? 0), 0);
}

function journal({ status }: StatsView): Finding[] {
  const found: Finding[] = [];
  if (status.setAside > 0) {
    const [are, them] = status.setAside === 1 ? ["is", "it"] : ["are", "them"];
    found.push({
      tone: "bad",
      what: html`<b>${plural(status.setAside, "write")}</b> ${are} set aside: no node could carry ${them} out, and their keys wait.`,
      todo: html`<code>lbctl writes list --pending</code>, then retry or skip.`,
    });
  }
  const taken = status.journalBytes / status.journalMaxBytes;
  if (taken >= JOURNAL_NEARLY_FULL) {
    found.push({
      tone: "bad",
      what: html`<b>The journal is ${Math.round(taken * 100)} % full.</b>`,
      todo: html`Bring back the node that is furthest behind: it holds back the purge.`,
    });
  }
  if (status.reload?.ok === false) {
    found.push({
      tone: "bad",
      what: html`<b>The last reload was refused,</b> the old config is in use: ${status.reload.problems.join("; ")}`,
      todo: html`Mend the file and send SIGHUP again.`,
    });
  }
  return found;
}

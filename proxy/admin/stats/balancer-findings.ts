import { html } from "../html.ts";
import type { Finding } from "./finding.ts";
import { age, bytes, plural, rate, share } from "./format.ts";
import type { StatsView } from "./view.ts";

/** Samples, one a second, that "now" looks back over. */
const RECENT = 30;
const JOURNAL_NEARLY_FULL = 0.8;
const MANY_ERRORS = 0.01;
/** A certificate (ms): renewed by machines, it has a month or more left. */
const EXPIRES_SOON = 14 * 86_400_000;

/** What there is to say of requests, writes set aside, the journal, certificates and the config. */
export function balancerFindings(view: StatsView): Finding[] {
  return [...failing(view), ...setAside(view), ...journal(view), ...certificates(view), ...reload(view)];
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

function setAside({ status }: StatsView): Finding[] {
  if (status.setAside === 0) return [];
  const [are, them] = status.setAside === 1 ? ["is", "it"] : ["are", "them"];
  return [
    {
      tone: "bad",
      what: html`<b>${plural(status.setAside, "write")}</b> ${are} set aside: no node could carry ${them} out, and their keys wait.`,
      todo: html`<code>lbctl writes list --pending</code>, then retry or skip.`,
    },
  ];
}

function journal({ status }: StatsView): Finding[] {
  const found: Finding[] = [];
  const taken = status.journalBytes / status.journalMaxBytes;
  if (taken >= JOURNAL_NEARLY_FULL) {
    found.push({
      tone: "bad",
      what: html`<b>The journal is ${Math.round(taken * 100)} % full.</b>`,
      todo: html`Bring back the node that is furthest behind: it holds back the purge.`,
    });
  }
  const wanted = status.journalMaxBytes - status.journalBytes;
  if (status.journalDisk.free < wanted) {
    found.push({
      tone: "bad",
      what: html`<b>The journal's disk has ${bytes(status.journalDisk.free)} left,</b> and the journal may still take ${bytes(wanted)}.`,
      todo: html`Make room in its file system, or lower <code>journal.maxSize</code>.`,
    });
  }
  return found;
}

function certificates({ status, now }: StatsView): Finding[] {
  return status.certificates
    .filter(({ expiresAt }) => expiresAt - now < EXPIRES_SOON)
    .map(({ listener, expiresAt }) => {
      const when = expiresAt <= now ? "has expired" : `expires in ${age((expiresAt - now) / 1000)}`;
      return {
        tone: "bad",
        what: html`<b>The certificate of the ${listener} listener ${when}.</b>`,
        todo: html`Put the new one in its place and send SIGHUP.`,
      };
    });
}

function reload({ status }: StatsView): Finding[] {
  if (status.reload?.ok !== false) return [];
  return [
    {
      tone: "bad",
      what: html`<b>The last reload was refused,</b> the old config is in use: ${status.reload.problems.join("; ")}`,
      todo: html`Mend the file and send SIGHUP again.`,
    },
  ];
}

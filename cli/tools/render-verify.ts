/** What `lbctl verify` found, for people: pure. */
import { styleText } from "node:util";
import type { VerifyReport } from "../../proxy/api.ts";
import { count, plural } from "./format.ts";
import { coloured } from "./render.ts";
import { table } from "./table.ts";

export interface Verification {
  readonly report: VerifyReport;
  /** Every difference, and every node that could not be compared; none: all nodes hold the same. */
  readonly problems: readonly string[];
  /** What to do about them. */
  readonly next: readonly string[];
}

export function renderVerify({ report, problems, next }: Verification): string {
  const rows = report.nodes.map((node) => [
    node.name,
    coloured(node.state),
    count(report.seq[node.name] ?? node.cursor),
    node.users === undefined ? "-" : count(node.users),
    node.digest ? node.digest.slice(0, 16) : "-",
  ]);
  const columns = [
    { title: "NODE" },
    { title: "STATE" },
    { title: "AT SEQ", right: true },
    { title: "USERS", right: true },
    { title: "DIGEST" },
  ];
  const verdict = problems.length === 0 ? [styleText("green", sameness(report))] : [];
  return [
    table(columns, rows),
    "",
    ...verdict,
    ...problems.map((problem) => styleText("red", problem)),
    ...(next.length > 0 ? ["", "Next:", ...next.map((step) => `  ${step}`)] : []),
  ].join("\n");
}

function sameness({ equal, nodes, head }: VerifyReport): string {
  if (equal) return `every node holds the same, up to write ${count(head)}`;
  return `${plural(nodes.length, "node")}, up to write ${count(head)}: nothing to compare it with`;
}

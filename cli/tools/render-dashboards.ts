/** Where the cluster can be looked at, for people: pure. */
import { styleText } from "node:util";
import type { Dashboard, Dashboards } from "../target.ts";
import { shellWord } from "./format.ts";

/** What `lbctl dashboard` says; the stats page last, since its second line is long. */
export function renderDashboards({ url, user, passwordFile, dashboards }: Dashboards): string {
  return [...dashboardLines(dashboards), ...statsPageLines(url, user, passwordFile)].join("\n");
}

export function statsPageLines(url: string, user: string, passwordFile: string): string[] {
  return [
    `  Stats page   ${styleText("cyan", url)}   user ${user}, password in`,
    `               ${shellWord(passwordFile)}`,
  ];
}

/** One line each; one that does not answer says where to look. */
export function dashboardLines(dashboards: readonly Dashboard[]): string[] {
  return dashboards.map(({ name, url, answers, process, elsewhere = `lbctl logs ${process}` }) => {
    const shown = `  ${name.padEnd(12)} ${styleText("cyan", url)}`;
    return answers ? shown : `${shown}   ${styleText("yellow", `does not answer: ${elsewhere}`)}`;
  });
}

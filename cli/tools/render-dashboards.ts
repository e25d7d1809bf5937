/** Where the cluster can be looked at, for people: pure. */
import { styleText } from "node:util";
import type { Dashboard, Dashboards } from "../target.ts";
import { shellWord } from "./format.ts";

/** What `lbctl dashboard` says; the stats page last, since its second line is long. */
export function renderDashboards({ url, user, passwordFile, dashboards, way }: Dashboards): string {
  const lines = [...dashboardLines(dashboards), ...statsPageLines(url, user, passwordFile)];
  return [...lines, ...(way === undefined ? [] : wayLines(way))].join("\n");
}

export function statsPageLines(url: string, user: string, passwordFile: string): string[] {
  return [
    `  Stats page   ${styleText("cyan", url)}   user ${user}, password in`,
    `               ${shellWord(passwordFile)}`,
  ];
}

function wayLines(way: string): string[] {
  return [
    "",
    "The stats page does not answer from here. While this runs, it does at http://127.0.0.1:1936:",
    `  ${way}`,
  ];
}

/** One line each; one that does not answer says where to look. */
export function dashboardLines(dashboards: readonly Dashboard[]): string[] {
  return dashboards.map(({ name, url, answers, process, elsewhere = `lbctl logs ${process}` }) => {
    const shown = `  ${name.padEnd(12)} ${styleText("cyan", url)}`;
    return answers ? shown : `${shown}   ${styleText("yellow", `does not answer: ${elsewhere}`)}`;
  });
}

import { hasScreen, openInBrowser } from "../browser.ts";
import { loadClusterConfig } from "../config-file.ts";
import { answers } from "../monitoring-pages.ts";
import type { Dashboards } from "../target.ts";
import { targetOf } from "../targets.ts";

/** Where the deployed cluster can be looked at. */
export async function dashboards(configFlag: string | undefined): Promise<Dashboards> {
  const config = await loadClusterConfig(configFlag);
  const target = await targetOf(config);
  const { adminUrl: url, adminUser: user, adminPasswordFile: passwordFile } = await target.find(config);
  const found = { url, user, passwordFile, dashboards: await target.dashboards(config) };
  if (!target.wayToPages || (await answers(`${url}/healthz`))) return found;
  return { ...found, way: await target.wayToPages(config) };
}

/** The page to look at: Grafana's where it answers, else the stats page. */
export function pageToOpen({ url, dashboards }: Dashboards): string {
  return dashboards.find(({ process, answers }) => process === "grafana" && answers)?.url ?? url;
}

/** @returns what was opened; null: nobody is there to see it; an empty text: no browser took it */
export async function openPage(found: Dashboards, isTerminal: boolean): Promise<string | null> {
  if (!hasScreen(isTerminal)) return null;
  const page = pageToOpen(found);
  return (await openInBrowser(page)) ? page : "";
}

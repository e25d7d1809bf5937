/** Where Prometheus and Grafana are looked at, and whether they answer. */

import type { ClusterConfig } from "../../cluster-config.ts";
import { answers, PATHS } from "../../monitoring-pages.ts";
import { statePaths } from "../../state.ts";
import type { Dashboard } from "../../target.ts";
import { waitFor } from "../../wait.ts";
import { observe } from "../observed.ts";
import { keepsEnding } from "../supervision.ts";
import type { Work } from "../work.ts";
import { lastChoice } from "./choice.ts";
import { isMonitoring, TITLES, WITH_PAGE } from "./names.ts";

/** How long a deploy waits for them, in ms: Grafana makes its database at its first start. */
const PATIENCE = 60_000;

export async function localDashboards({ dir, name }: ClusterConfig): Promise<readonly Dashboard[]> {
  const choice = (await lastChoice(statePaths(dir, name))) ?? {};
  const pages = WITH_PAGE.map(async (process) => {
    const chosen = choice[process];
    if (!chosen) return [];
    const url = `http://127.0.0.1:${chosen.port}`;
    const { shown, asked } = PATHS[process];
    return [{ name: TITLES[process], process, url: url + shown, answers: await answers(url + asked) }];
  });
  return (await Promise.all(pages)).flat();
}

/** For a while: a cluster is deployed whether they come up or not. */
export async function untilWatched(
  { config, state, signal }: Work,
  say: (detail: string) => void,
): Promise<void> {
  await waitFor(
    async () => {
      const missing = (await localDashboards(config)).filter((one) => !one.answers);
      say(missing.map(({ name }) => name).join(", "));
      const { supervisor } = await observe(state);
      const ending = supervisor?.processes.some((one) => isMonitoring(one.name) && keepsEnding(one)) ?? true;
      return missing.length === 0 || ending;
    },
    { signal, patience: PATIENCE },
  );
}

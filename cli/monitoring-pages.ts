/** The pages of Grafana and Prometheus, wherever they run, and whether one answers. */

/** Of the boards in grafana/: what one sees first. */
export const FIRST_BOARD = "lbctl-overview";

/** Paths: what is looked at first, and what is asked whether it is ready. */
export const PATHS = {
  grafana: { shown: `/d/${FIRST_BOARD}`, asked: "/api/health" },
  prometheus: { shown: "/alerts", asked: "/-/ready" },
} as const;

/** How long one is waited for, in ms: a packet filter drops what it does not let in. */
const ANSWER_WITHIN = 2000;

export async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_WITHIN) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

import type { Time } from "./time.ts";

/** What is worth computing once: the share of failed requests over each window, and latencies by route. */

export interface Recording {
  /** level:metric:operation, as Prometheus' conventions have it. */
  readonly name: string;
  readonly expr: (time: Time) => string;
}

/** name → seconds. The pairs that error budget alerts look at are in alerts.ts. */
export const WINDOWS = {
  "5m": 300,
  "30m": 1800,
  "1h": 3600,
  "2h": 7200,
  "6h": 21_600,
  "1d": 86_400,
  "3d": 259_200,
} as const;
export type Window = keyof typeof WINDOWS;

const FIVE_MINUTES = WINDOWS["5m"];

/** Share of a balancer's requests that ended in a 5xx; who left before the reply does not count. */
export function failedShare(window: Window): string {
  return `instance:lb_requests_failed:ratio_rate${window}`;
}

export function latency(quantile: "p50" | "p90" | "p99"): string {
  return `instance_route:lb_request_duration_seconds:${quantile}_5m`;
}

export const RECORDINGS: readonly Recording[] = [
  {
    name: "instance_route:lb_requests:rate5m",
    expr: ({ duration }) =>
      `sum by (job, instance, route) (rate(lb_requests_total[${duration(FIVE_MINUTES)}]))`,
  },
  ...Object.entries(WINDOWS).map(([window, seconds]) => ({
    name: failedShare(window as Window),
    expr: ({ duration }: Time) =>
      `sum by (job, instance) (rate(lb_requests_total{class="5xx"}[${duration(seconds)}]))` +
      ` / sum by (job, instance) (rate(lb_requests_total{class!="aborted"}[${duration(seconds)}]))`,
  })),
  ...(["p50", "p90", "p99"] as const).map((quantile) => ({
    name: latency(quantile),
    expr: ({ duration }: Time) =>
      `histogram_quantile(0.${quantile.slice(1)}, sum by (job, instance, route, le)` +
      ` (rate(lb_request_duration_seconds_bucket{class!="aborted"}[${duration(FIVE_MINUTES)}])))`,
  })),
];

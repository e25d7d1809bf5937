import type { Board } from "./board.ts";
import { AT } from "./board.ts";
import { above, lines } from "./panel.ts";

export const OVERVIEW: Board = {
  uid: "lbctl-overview",
  title: "lbctl / Overview",
  description: "Is it well: golden signals, what was promised, who is in-sync.",
  variables: [],
  rows: [
    {
      title: "Golden signals",
      height: 8,
      panels: [
        lines({
          title: "Requests by route",
          description: "Requests that each route took.",
          unit: "reqps",
          thresholds: above(2000, 4000),
          queries: { "{{route}}": `sum by (route) (rate(lb_requests_total{${AT}}[$__rate_interval]))` },
          width: 12,
        }),
      ],
    },
  ],
};

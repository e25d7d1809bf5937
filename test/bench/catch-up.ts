/** `npm run bench:catch-up -- --writes 10000`: what the reads feel while a node catches up, against before. */

import { catchUp, described } from "../support/backlog.ts";
import { standalone } from "../support/standalone.ts";
import { numberFlags } from "./arguments.ts";
import { machineLine } from "./machine.ts";

const { writes, reads, nodes } = numberFlags({
  writes: { default: 10_000, min: 1, max: 1_000_000 },
  reads: { default: 200, min: 1, max: 5000 },
  nodes: { default: 3, min: 2, max: 9 },
});

await standalone(async (t) => {
  t.diagnostic(machineLine());
  t.diagnostic(described(await catchUp(t, { writes, reads, nodes })));
});

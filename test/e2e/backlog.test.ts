/** A node that was down for 10,000 writes; how fast it is and what the reads feel is printed, not judged. */

import { test } from "node:test";
import { catchUp, described } from "../support/backlog.ts";

test("a node down for 10,000 writes catches up while the load goes on, and holds each of them once", async (t) => {
  t.diagnostic(described(await catchUp(t, { writes: 10_000 })));
});

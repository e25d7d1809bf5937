/**
 * The entry of the bundle, which is one file for two threads: the balancer, and the journal's worker
 * (journal-worker.ts starts itself there), which has no use for the rest and so does not load it.
 */

import { isMainThread } from "node:worker_threads";
import "./journal/journal-worker.ts";

if (isMainThread) {
  const { command } = await import("./command.ts");
  process.exitCode = await command(process.argv.slice(2));
}

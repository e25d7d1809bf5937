/**
 * The entry of the bundle, which is one file for two threads: the balancer, and the journal's worker
 * (journal-worker.ts starts itself there), which has no use for the rest and so does not load it.
 */

import { isMainThread } from "node:worker_threads";

/**
 * V8 takes a machine's memory as an invitation: under load its heaps grow to 250 MB and more here, for
 * objects that live for one request. All this must be there before V8 starts, so the process replaces itself
 * (same pid) when it was started without them. Sockets that it inherited would be closed by that: whoever hands them
 * over (the systemd unit) gives flags and environment, too.
 */
const HEAP = ["--max-semi-space-size=8", "--heap-growing-percent=50"];
/** glibc keeps an arena of free memory for each of a dozen threads otherwise: 10 MB. */
const MALLOC = { MALLOC_ARENA_MAX: "1" };

const tuned = HEAP.every((flag) => process.execArgv.includes(flag));

if (!isMainThread) await import("./journal/journal-worker.ts");
else if (tuned || process.execve === undefined || process.env.LISTEN_FDS !== undefined) {
  const { command } = await import("./command.ts");
  process.exitCode = await command(process.argv.slice(2));
} else {
  const args = [...HEAP, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, [process.execPath, ...args], { ...MALLOC, ...process.env });
}

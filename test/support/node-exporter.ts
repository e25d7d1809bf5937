import { spawnSync } from "node:child_process";
import type { TestContext } from "node:test";
import { startProcess } from "./process.ts";

/** The system's node_exporter; Debian's package has it under a name of its own. */

const COMMAND = "prometheus-node-exporter";

/** False: it is there. Else why tests that need it are skipped. */
export function withoutNodeExporter(): string | false {
  const there = spawnSync(COMMAND, ["--version"]).status === 0;
  return there ? false : `no ${COMMAND}: apt-get install prometheus-node-exporter`;
}

/** Starts it on a free port; gives host:port. */
export async function startNodeExporter(t: TestContext): Promise<string> {
  const { url } = await startProcess(t, {
    name: COMMAND,
    command: COMMAND,
    args: ["--web.listen-address=127.0.0.1:0"],
    ready: /msg="Listening on" address=(127\.0\.0\.1:\d+)/,
  });
  return url;
}

/** `npm run test:hosts`: brings up a lab, runs the tests that need real hosts inside its network, takes it down. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { dirname } from "node:path";
import { labDown, labUp } from "./lab.ts";
import { inLab } from "./network.ts";
import { ansibleVenv } from "./venv.ts";

/** One balancer, three nodes, and two more hosts for the tests that grow a cluster. */
const HOSTS = 6;
const FILES = ["test/ansible/**/*.test.ts", "test/lab/**/*.test.ts", "test/hosts/**/*.test.ts"];
const ROOT = dirname(dirname(import.meta.dirname));

const chosen = process.argv.slice(2);
const files = chosen.length > 0 ? chosen : globSync(FILES, { cwd: ROOT }).toSorted();
const stages = ["--test-concurrency=1", "--test-timeout=900000", "--test-reporter=spec"];

await labDown();
let code = 1;
try {
  ansibleVenv();
  await labUp(HOSTS);
  const [command, ...args] = inLab(process.execPath, "--test", ...stages, ...files);
  const child = spawn(command, args, { cwd: ROOT, stdio: "inherit" });
  const forward = (signal: NodeJS.Signals) => void child.kill(signal);
  process.on("SIGINT", forward).on("SIGTERM", forward);
  const [ended] = (await once(child, "close")) as [number | null];
  code = ended ?? 1;
} finally {
  await labDown();
}
process.exit(code);

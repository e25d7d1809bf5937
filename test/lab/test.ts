/**
 * `npm run test:hosts`: brings up a lab, runs the tests that need real hosts inside its network, takes it down. All of
 * them: in two labs at the same time, since much of what a deploy takes is waiting for one host after the other. What
 * is about Ansible alone comes first, without a lab.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { labDown, labUp } from "./lab.ts";
import { inLab } from "./network.ts";
import { LAB } from "./place.ts";
import { rootFilesystem } from "./root-filesystem.ts";
import { ansibleVenv } from "./venv.ts";

/** A balancer, three nodes, and two more hosts for the tests that grow a cluster. */
const HOSTS = process.env.LBCTL_LAB_HOSTS ?? "6";
const WITHOUT_LAB = "test/ansible/**/*.test.ts";
const FILES = ["test/lab/**/*.test.ts", "test/hosts/**/*.test.ts"];
/** The longest one has a lab of its own. */
const LONGEST = "test/hosts/deploy.test.ts";
const ROOT = dirname(dirname(import.meta.dirname));

const STAGES = ["--test", "--test-concurrency=1", "--test-timeout=3600000", "--test-reporter=spec"];

const chosen = process.argv.slice(2);
const children = new Set<ChildProcess>();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    for (const child of children) child.kill(signal);
  });
}

ansibleVenv();
rootFilesystem();
process.exit(chosen.length > 0 ? await oneLab(chosen) : Math.max(await withoutLab(), await twoLabs()));

function withoutLab(): Promise<number> {
  return ended(spawn(process.execPath, [...STAGES, WITHOUT_LAB], { cwd: ROOT, stdio: "inherit" }));
}

async function oneLab(files: readonly string[]): Promise<number> {
  await labDown();
  try {
    await labUp(Number(HOSTS));
    const [command, ...args] = inLab(process.execPath, ...STAGES, ...files);
    return await ended(spawn(command, args, { cwd: ROOT, stdio: "inherit" }));
  } finally {
    await labDown();
  }
}

/** The second one's output comes when both are through. */
async function twoLabs(): Promise<number> {
  const others = globSync(FILES, { cwd: ROOT }).filter((file) => file !== LONGEST);
  const start = (files: readonly string[], lab: string, hosts: number, stdout: "inherit" | "pipe") =>
    spawn(process.execPath, [import.meta.filename, ...files], {
      cwd: ROOT,
      stdio: ["ignore", stdout, "inherit"],
      env: { ...process.env, LBCTL_LAB: lab, LBCTL_LAB_HOSTS: String(hosts) },
    });
  const first = start([LONGEST], LAB, 6, "inherit");
  const second = start(others.toSorted(), `${LAB.slice(0, 7)}2`, 4, "pipe");
  const output = second.stdout === null ? "" : text(second.stdout);
  const codes = await Promise.all([ended(first), ended(second)]);
  process.stdout.write(await output);
  return Math.max(...codes);
}

async function ended(child: ChildProcess): Promise<number> {
  children.add(child);
  const [code] = (await once(child, "close")) as [number | null];
  children.delete(child);
  return code ?? 1;
}

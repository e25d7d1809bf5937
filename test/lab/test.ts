/**
 * `npm run test:hosts`: brings up a lab, runs the tests that need real hosts inside its network, takes it down. All of
 * them: each in a lab of its own, two at the same time, since much of what a deploy takes is waiting for one host after
 * the other. What is about Ansible alone comes first, without a lab.
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

/** A balancer and three nodes; and two more hosts for the tests that grow a cluster under load. */
const [FEW, MANY] = ["4", "6"];
const WITHOUT_LAB = "test/ansible/**/*.test.ts";
const FILES = ["test/lab/**/*.test.ts", "test/hosts/**/*.test.ts"];
const GROWS = "test/hosts/deploy.test.ts";
/** About how long each takes in one of two labs, in minutes: the longest come first. */
const MINUTES: Readonly<Record<string, number>> = {
  [GROWS]: 22,
  "test/hosts/errors.test.ts": 14,
  "test/lab/roles.test.ts": 11,
  "test/hosts/aws.test.ts": 9,
};
const ROOT = dirname(dirname(import.meta.dirname));

const STAGES = ["--test", "--test-concurrency=1", "--test-timeout=3600000", "--test-reporter=spec"];

const chosen = process.argv.slice(2);
const children = new Set<ChildProcess>();
let stopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => {
    stopped = true;
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
    await labUp(Number(process.env.LBCTL_LAB_HOSTS ?? MANY));
    const [command, ...args] = inLab(process.execPath, ...STAGES, ...files);
    return await ended(spawn(command, args, { cwd: ROOT, stdio: "inherit" }));
  } finally {
    await labDown();
  }
}

/** Each takes the next file, the longest first, until there is none left; output comes a file at a time. */
async function twoLabs(): Promise<number> {
  const minutes = (file: string) => MINUTES[file] ?? 0;
  const files = globSync(FILES, { cwd: ROOT }).toSorted((a, b) => minutes(b) - minutes(a));
  const codes: number[] = [];
  const lab = async (name: string) => {
    for (let file = files.shift(); file !== undefined && !stopped; file = files.shift()) {
      const child = spawn(process.execPath, [import.meta.filename, file], {
        cwd: ROOT,
        stdio: ["ignore", "pipe", "inherit"],
        env: { LBCTL_LAB_HOSTS: file === GROWS ? MANY : FEW, ...process.env, LBCTL_LAB: name },
      });
      const [output, code] = await Promise.all([text(child.stdout), ended(child)]);
      process.stdout.write(output);
      codes.push(code);
    }
  };
  await Promise.all([lab(LAB), lab(`${LAB.slice(0, 7)}2`)]);
  return Math.max(stopped ? 1 : 0, ...codes);
}

async function ended(child: ChildProcess): Promise<number> {
  children.add(child);
  const [code] = (await once(child, "close")) as [number | null];
  children.delete(child);
  return code ?? 1;
}

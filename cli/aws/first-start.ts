/** Waits until a new machine lets SSH in and has done what it does at its first start. */
import { setTimeout as pause } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { accessOf, type Machine, type Machines } from "../hosts/machines.ts";
import { sshError } from "../hosts/ssh-errors.ts";
import type { StatePaths } from "../state.ts";
import { runTool } from "../tool.ts";
import { sshArgv } from "../tools/ssh.ts";

export interface Patience {
  /** ms; a machine boots, gets Session Manager's agent, and waits for its journal's volume. */
  readonly total: number;
  /** ms between two tries */
  readonly pause: number;
}

const PATIENCE: Patience = { total: 10 * 60_000, pause: 5_000 };

/** 1: its script failed; 2: something of no importance here did. */
const COMMAND = "cloud-init status --wait >/dev/null; [ $? -ne 1 ]";
const FAILED = 1;
/** Of ssh itself: no connection. */
const NO_CONNECTION = 255;

/** @throws UserError naming the first machine that did not come up, and what it said */
export async function waitForMachines(
  machines: readonly Machine[],
  { acceptNewHostKeys }: Machines,
  state: StatePaths,
  signal: AbortSignal,
  say: (detail: string) => void,
  patience = PATIENCE,
): Promise<void> {
  const waiting = new Set(machines.map(({ name }) => name));
  await Promise.all(
    machines.map(async (machine) => {
      const argv = sshArgv(accessOf(machine, acceptNewHostKeys, state), COMMAND);
      await untilStarted(machine, argv, signal, patience);
      waiting.delete(machine.name);
      say([...waiting].join(", "));
    }),
  );
}

async function untilStarted(
  machine: Machine,
  argv: readonly string[],
  signal: AbortSignal,
  patience: Patience,
): Promise<void> {
  const deadline = performance.now() + patience.total;
  for (;;) {
    const { code, stderr } = await runTool({ argv, signal });
    if (code === 0) return;
    if (code === FAILED) throw failedStart(machine);
    if (code !== NO_CONNECTION || performance.now() > deadline) throw sshError(machine, stderr);
    await pause(patience.pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function failedStart({ name, address }: Machine): UserError {
  return new UserError(`expected ${name} (${address}) to get through its first start, got an error there`, {
    code: "first_start_failed",
    next: [
      `aws ssm start-session --target ${address}   # then: sudo tail -n 50 /var/log/cloud-init-output.log`,
      "lbctl deploy   # once that is mended",
    ],
  });
}

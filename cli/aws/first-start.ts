/** Waits until a new machine lets SSH in and has done what it does at its first start. */
import { setTimeout as pause } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { accessOf, type Machine, type Machines } from "../hosts/machines.ts";
import { sshError } from "../hosts/ssh-errors.ts";
import type { StatePaths } from "../state.ts";
import { runTool } from "../tool.ts";
import { shellWord } from "../tools/format.ts";
import { sshArgv } from "../tools/ssh.ts";
import { type Place, placeFlags } from "./cli-flags.ts";

export interface Patience {
  /** ms; a machine boots, gets Session Manager's agent, and waits for its journal's volume. */
  readonly total: number;
  /** ms; for a refusal: the key reaches the machine, and a permission its service, a moment late. */
  readonly refused: number;
  /** ms between two tries */
  readonly pause: number;
}

const PATIENCE: Patience = { total: 10 * 60_000, refused: 60_000, pause: 5_000 };

/** 1: its script failed; 2: something of no importance here did. */
const COMMAND = "cloud-init status --wait >/dev/null; [ $? -ne 1 ]";
const FAILED = 1;
/** Of ssh itself: no connection. */
const NO_CONNECTION = 255;

/** What the next try would meet as well. */
const FOR_GOOD = new Set([
  "tool_missing",
  "session_tools_missing",
  "aws_region_not_enabled",
  "host_key_changed",
  "host_key_unknown",
  "aws_expired_token",
  "aws_no_credentials",
  "aws_profile_not_found",
]);
const REFUSED = new Set(["ssh_refused", "aws_not_allowed"]);

export interface Waiting {
  readonly machines: readonly Machine[];
  readonly all: Pick<Machines, "acceptNewHostKeys">;
  readonly state: StatePaths;
  readonly where: Place;
  readonly signal: AbortSignal;
}

/** @throws UserError naming the first machine that did not come up, and what it said */
export async function waitForMachines(
  { machines, all, state, where, signal }: Waiting,
  say: (detail: string) => void,
  patience = PATIENCE,
): Promise<void> {
  const waiting = new Set(machines.map(({ name }) => name));
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  await Promise.all(
    machines.map(async (machine) => {
      const argv = sshArgv(accessOf(machine, all.acceptNewHostKeys, state), COMMAND);
      await untilStarted(machine, argv, where, either, patience).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      });
      waiting.delete(machine.name);
      say([...waiting].join(", "));
    }),
  );
}

async function untilStarted(
  machine: Machine,
  argv: readonly string[],
  where: Place,
  signal: AbortSignal,
  patience: Patience,
): Promise<void> {
  const since = performance.now();
  for (;;) {
    const { code, stderr } = await runTool({ argv, signal });
    if (code === 0) return;
    if (code === FAILED) throw failedStart(machine, argv, where);
    const error = sshError(machine, stderr);
    if (code !== NO_CONNECTION || performance.now() - since >= patienceWith(error, patience)) throw error;
    await pause(patience.pause, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function patienceWith({ code }: UserError, { total, refused }: Patience): number {
  if (code !== null && FOR_GOOD.has(code)) return 0;
  return code !== null && REFUSED.has(code) ? Math.min(refused, total) : total;
}

function failedStart({ name, identity }: Machine, argv: readonly string[], where: Place): UserError {
  const ssh = argv.slice(0, -1).map(shellWord).join(" ");
  return new UserError(`expected ${name} (${identity}) to get through its first start, got an error there`, {
    code: "first_start_failed",
    next: [
      `${ssh} sudo tail -n 50 /var/log/cloud-init-output.log   # what it said`,
      `aws ec2 get-console-output${placeFlags(where)} --instance-id ${identity} --latest --output text   # where SSH gets no further`,
      `${ssh} 'sudo bash /var/lib/cloud/instance/scripts/part-001 && sudo reboot'   # once that is mended: it does the rest`,
      "lbctl deploy   # waits for it, and goes on; docs/aws.md: a first start that failed",
    ],
  });
}

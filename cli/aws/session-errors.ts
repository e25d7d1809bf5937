/** What the AWS CLI and Session Manager's plugin say where ssh went through them and did not arrive. */
import type { UserError } from "../errors.ts";
import { type Place, placeFlags } from "./cli-flags.ts";
import { firstKnown, IDENTITY, type Known, lastLines, NOT_ALLOWED } from "./known-errors.ts";

/** A machine behind Session Manager. */
export interface Behind extends Place {
  /** `app1` */
  readonly name: string;
  /** Of the instance. */
  readonly id: string;
}

const SESSION: readonly Known<Behind>[] = [
  {
    code: "session_tools_missing",
    found: /SessionManagerPlugin is not found|aws: (?:command )?not found|command not found: aws/,
    message: () => "expected the AWS CLI and Session Manager's plugin on the way to the machines, got none",
    next: () => ["lbctl doctor   # what is missing, and where to get it", "then the same command again"],
  },
  {
    code: "aws_machine_not_connected",
    found: /TargetNotConnected|InvalidInstanceId/,
    message: (_, __, { name, id }) =>
      `expected ${name} (${id}) to be connected to Session Manager, got no connection`,
    next: (machine) => stepsToMachine(machine),
  },
  ...IDENTITY,
  NOT_ALLOWED,
];

/** @returns null where it is ssh itself that speaks */
export function sessionError(said: string, machine: Behind): UserError | null {
  return firstKnown(SESSION, said, machine, lastLines(said));
}

/** For one that does not answer: whether it runs, how it is started, how another takes its place. */
export function stepsToMachine({ id, ...place }: Pick<Behind, "id" | "region" | "profile">): string[] {
  const flags = placeFlags(place);
  return [
    `aws ec2 describe-instance-status${flags} --include-all-instances --instance-ids ${id}   # is it running, are its checks passed?`,
    `aws ec2 start-instances${flags} --instance-ids ${id}   # where it is stopped; reboot-instances where it hangs`,
    "lbctl deploy   # where another one took its place already: it learns which",
    "docs/aws.md: Replacing machines   # where it is gone for good",
  ];
}

/** What ssh says when it fails, as an error with a stable code and a next step. */
import { UserError } from "../errors.ts";
import { shellWord } from "../tools/format.ts";
import type { Machine } from "./machines.ts";

interface Kind {
  readonly code: string;
  readonly says: RegExp;
  readonly message: (machine: Machine) => string;
  readonly next: (machine: Machine) => string[];
}

const KINDS: readonly Kind[] = [
  {
    code: "host_key_changed",
    says: /REMOTE HOST IDENTIFICATION HAS CHANGED/,
    message: ({ name, address }) =>
      `expected ${name} (${address}) to show the host key known before, got another`,
    next: ({ address }) => [
      "find out why: the machine was made anew, or something else answers in its place",
      `if it was made anew: ssh-keygen -R ${shellWord(address)} (with -f for the known_hosts in the state directory), then deploy`,
    ],
  },
  {
    code: "host_key_unknown",
    says: /Host key verification failed|No .* host key is known/,
    message: ({ name, address }) =>
      `expected the host key of ${name} (${address}) to be known, got an unknown one`,
    next: (machine) => [
      `${sshCommand(machine)}   # compare the fingerprint and take it`,
      "or set hosts: { ssh: { hostKeys: accept-new } } in lbctl.yaml to take the first key that each host shows",
    ],
  },
  {
    code: "ssh_refused",
    says: /Permission denied|Too many authentication failures|no such identity|invalid format|bad permissions/i,
    message: ({ name, address, user }) =>
      `expected to sign in to ${name} (${address})${user === null ? "" : ` as ${user}`}, got a refusal`,
    next: ({ key }) => [
      key === null
        ? "set hosts: { ssh: { user: …, key: … } } in lbctl.yaml, or add the key to your agent: ssh-add"
        : `see that ${shellWord(key)} is the right key, and its public half in the host's authorized_keys`,
    ],
  },
  {
    code: "no_root",
    says: /sudo: |not in the sudoers file/,
    message: ({ name, address }) => `expected to become root on ${name} (${address}) by sudo, got a refusal`,
    next: ({ user }) => [
      `let ${user ?? "the user"} become root without a password: a line NOPASSWD:ALL in /etc/sudoers.d, or sign in as root`,
    ],
  },
  {
    code: "host_unreachable",
    says: /timed out|No route to host|Connection refused|Could not resolve|Name or service not known|unreachable|reset by peer|closed by remote host|Connection closed|not responding|Broken pipe/i,
    message: ({ name, address }) => `expected to reach ${name} (${address}) by SSH, got no connection`,
    next: (machine) => [
      `${sshCommand(machine)}   # is the machine on, the address right, port ${machine.port ?? 22} open?`,
      ...(machine.whenUnreachable ?? []),
    ],
  },
];

/** @param said stderr of ssh, and of what it came through */
export function sshError(machine: Machine, said: string): UserError {
  const known = machine.explain?.(said);
  if (known) return known;
  const lines = said.split("\n").map((line) => line.trim());
  const last = lines.filter((line) => line !== "" && !/^@+$/.test(line)).slice(-3);
  const kind = KINDS.find(({ says }) => says.test(said));
  if (!kind) {
    return new UserError(`expected ${machine.name} (${machine.address}) to answer by SSH, got an error`, {
      code: "ssh_failed",
      problems: last,
      next: [`${sshCommand(machine)}   # does that work?`],
    });
  }
  return new UserError(kind.message(machine), {
    code: kind.code,
    problems: last,
    next: kind.next(machine),
  });
}

/** For people to try: the same way there, with the questions that lbctl never answers. */
function sshCommand({ address, user, port, key, sshArgs }: Machine): string {
  return [
    "ssh",
    ...sshArgs,
    ...(key === null ? [] : ["-i", key]),
    ...(port === null ? [] : ["-p", String(port)]),
    user === null ? address : `${user}@${address}`,
  ]
    .map(shellWord)
    .join(" ");
}

/** Several at once: the first's code, every message. */
export function allOf(errors: readonly UserError[]): UserError {
  const [first] = errors;
  if (!first) return new UserError("expected an error, got none");
  // What is wrong here (credentials that have expired) is wrong for each of them.
  if (errors.every(({ message }) => message === first.message)) return first;
  return new UserError(`expected every host to be ready, got ${errors.length} that are not`, {
    ...(first.code === null ? {} : { code: first.code }),
    problems: errors.flatMap(({ message, problems }) => [
      message,
      ...problems.map((problem) => `  ${problem}`),
    ]),
    next: [...new Set(errors.flatMap(({ next }) => next))],
  });
}

/** Command lines of ssh: pure. */

import { shellWord } from "./format.ts";
import { urlHost } from "./url-host.ts";

/** How ssh gets to one host. */
export interface SshAccess {
  readonly address: string;
  /** Null: as the user's own ssh config says. */
  readonly user: string | null;
  readonly port: number | null;
  readonly key: string | null;
  /** Where known host keys are looked up, in this order; new ones go into the first. */
  readonly knownHosts: readonly string[];
  /** Takes the key that an unknown host shows. */
  readonly acceptNew: boolean;
  /** More options: a jump host, a proxy command. */
  readonly args: readonly string[];
}

/** A port of this machine that leads to one over there. */
export interface Forward {
  readonly from: number;
  readonly host: string;
  readonly port: number;
}

/** Never asks: a password or an unknown key is an error. Notices within 15 s that the other side is gone. */
export function sshOptions({ knownHosts, acceptNew, args }: SshAccess): string[] {
  return [
    ...["-o", "BatchMode=yes"],
    ...["-o", "ConnectTimeout=10"],
    ...["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"],
    ...["-o", `StrictHostKeyChecking=${acceptNew ? "accept-new" : "yes"}`],
    ...["-o", `UserKnownHostsFile=${knownHosts.map(quoted).join(" ")}`],
    ...args,
  ];
}

/** @param command one string for the shell over there */
export function sshArgv(access: SshAccess, command: string): string[] {
  return ["ssh", ...sshOptions(access), ...destination(access), command];
}

/**
 * Says `open` once every port listens, and ends when its stdin does: with lbctl, however that ends. It never shares
 * a connection that would outlive it.
 */
export function tunnelArgv(access: SshAccess, forwards: readonly Forward[]): string[] {
  return [
    "ssh",
    ...["-o", "ExitOnForwardFailure=yes", "-o", "ControlMaster=no", "-o", "ControlPath=none"],
    ...forwards.flatMap(portOptions),
    ...sshOptions(access),
    ...destination(access),
    "echo open; exec cat >/dev/null",
  ];
}

/** For people, until they end it: ports of this machine that lead there. */
export function forwardArgv(access: SshAccess, forwards: readonly Forward[]): string[] {
  return ["ssh", "-N", ...forwards.flatMap(portOptions), ...sshOptions(access), ...destination(access)];
}

function portOptions({ from, host, port }: Forward): string[] {
  return ["-L", `127.0.0.1:${from}:${urlHost(host)}:${port}`];
}

/** Options for a host that is reached through this one, where no key is left. % begins a token of ssh. */
export function throughArgs(access: SshAccess): string[] {
  const words = [...sshOptions(access), ...destination(access)].map(shellWord).join(" ");
  return ["-o", `ProxyCommand=ssh -W %h:%p ${words.replaceAll("%", "%%")}`];
}

/** The options as one string, as Ansible's inventory has them. */
export function sshOptionText(access: SshAccess): string {
  return sshOptions(access).map(shellWord).join(" ");
}

/** As ssh's config file quotes a file name; % begins a token there. */
function quoted(file: string): string {
  const plain = file.replaceAll("%", "%%");
  return /[\s"]/.test(plain) ? `"${plain.replaceAll('"', '\\"')}"` : plain;
}

/** What is after -- is never an option. */
function destination({ address, user, port, key }: SshAccess): string[] {
  return [
    ...(key === null ? [] : ["-i", key, "-o", "IdentitiesOnly=yes"]),
    ...(port === null ? [] : ["-p", String(port)]),
    ...(user === null ? [] : ["-l", user]),
    "--",
    address,
  ];
}

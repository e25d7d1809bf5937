/**
 * lbctl's hold on the balancer's host: a lock that two operators on two machines can't both have, the record of the
 * cluster, and the audit log, all by one SSH session. The lock goes with the session: the kernel lets go of it when
 * the shell over there ends, and that ends with the connection, or when nothing came from here for two minutes.
 */
import type { AuditEntry } from "../audit.ts";
import { messageOf, UserError } from "../errors.ts";
import { whoami } from "../lock.ts";
import { type RunningTool, startTool } from "../tool.ts";
import { duration, shellWord } from "../tools/format.ts";
import { sshArgv } from "../tools/ssh.ts";
import { accessOf } from "./machines.ts";
import type { HostsRecord } from "./record.ts";
import { sshError } from "./ssh-errors.ts";
import type { HostsWork } from "./work.ts";

const BEAT = 5_000;
/** Without a beat the lock is let go after so many seconds: a machine asleep must not hold it for ever. */
const LEASE = 120;

/** `ok` after each line that was carried out, `failed` after one that could not be (a full disk). */
const SCRIPT = `
umask 077
mkdir -p /var/lib/lbctl
exec 9>>/run/lbctl.lock
if ! flock -n 9; then echo "held $(cat /run/lbctl.owner 2>/dev/null)"; exit 0; fi
f=/var/lib/lbctl/cluster.json
echo "locked $(cat $f 2>/dev/null)"
while read -r -t ${LEASE} what text; do
  case $what in
    owner) printf '%s\\n' "$text" > /run/lbctl.owner ;;
    audit) printf '%s\\n' "$text" >> /var/lib/lbctl/audit.log ;;
    record) printf '%s\\n' "$text" > $f.new && sync $f.new && mv $f.new $f && sync /var/lib/lbctl ;;
    forget) rm -f $f ;;
    beat) continue ;;
    bye) rm -f /run/lbctl.owner; exit 0 ;;
  esac && echo ok || echo failed
done
rm -f /run/lbctl.owner
`;

export class HostSession implements AsyncDisposable {
  /** The record as it was when the lock was got; null: no cluster is there. */
  readonly deployed: HostsRecord | null;
  readonly #tool: RunningTool;
  readonly #lines: AsyncIterator<string>;
  readonly #lost = new AbortController();
  readonly #beat: NodeJS.Timeout;
  #closed = false;

  private constructor(
    tool: RunningTool,
    lines: AsyncIterator<string>,
    deployed: HostsRecord | null,
    where: string,
  ) {
    this.deployed = deployed;
    this.#tool = tool;
    this.#lines = lines;
    this.#beat = setInterval(() => tool.write("beat"), BEAT);
    void tool.ended.finally(() => {
      if (!this.#closed) this.#lost.abort(lost(where));
    });
  }

  /** @throws UserError where somebody else holds it: who, since when */
  static async open(work: HostsWork, command: string): Promise<HostSession> {
    const { balancer, acceptNewHostKeys } = work.machines;
    const script = `if [ "$(id -u)" = 0 ]; then exec bash -c ${shellWord(SCRIPT)}; else exec sudo -n bash -c ${shellWord(SCRIPT)}; fi`;
    const argv = sshArgv(accessOf(balancer, acceptNewHostKeys, work.state), script);
    // Not ended by Ctrl-C: how the command ended is still to be written down.
    const tool = startTool({ argv, signal: new AbortController().signal });
    const lines = tool.lines()[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) throw sshError(balancer, (await tool.ended).stderr);
    if (first.value.startsWith("held")) {
      await tool[Symbol.asyncDispose]();
      throw held(first.value.slice("held ".length), balancer.address);
    }
    const text = first.value.slice("locked ".length);
    const deployed = text === "" ? null : (JSON.parse(text) as HostsRecord);
    const session = new HostSession(tool, lines, deployed, balancer.address);
    await session.#say("owner", { user: whoami(), command, since: new Date().toISOString() });
    return session;
  }

  /** Aborted when the connection, and with it the lock, is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  record(record: HostsRecord): Promise<void> {
    return this.#say("record", record);
  }

  forget(): Promise<void> {
    return this.#say("forget", {});
  }

  audit(entry: AuditEntry): Promise<void> {
    return this.#say("audit", { at: new Date().toISOString(), user: whoami(), ...entry });
  }

  async #say(what: string, value: unknown): Promise<void> {
    this.#lost.signal.throwIfAborted();
    this.#tool.write(`${what} ${JSON.stringify(value)}`);
    const answer = await this.#lines.next();
    if (!answer.done && answer.value === "ok") return;
    this.#lost.signal.throwIfAborted();
    throw new UserError(`expected the balancer's host to write its ${what}, got a failure`, {
      code: "host_not_writable",
      next: ["df -h /var/lib /run   # on the balancer's host: is there room?", "then do it again"],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#beat);
    this.#tool.write("bye {}");
    await Promise.race([this.#tool.ended, new Promise((resolve) => setTimeout(resolve, 2_000))]);
    await this.#tool[Symbol.asyncDispose]();
  }
}

/** Runs something with the lock, on record at the balancer's host; the work's signal is aborted with the lock, too. */
export async function withSession<T>(
  work: HostsWork,
  command: string,
  change: (session: HostSession, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await using session = await HostSession.open(work, command);
  await session.audit({ command, outcome: "started" });
  try {
    const result = await change(session, AbortSignal.any([work.signal, session.lost]));
    await session.audit({ command, outcome: "done" });
    return result;
  } catch (error) {
    if (!session.lost.aborted) {
      await session.audit({ command, outcome: "failed", detail: messageOf(error) }).catch(() => undefined);
    }
    throw error;
  }
}

function held(owner: string, address: string): UserError {
  const { user = "somebody", command = "?", since } = parseOwner(owner);
  const age = since === undefined ? "" : `, for ${duration(Date.now() - Date.parse(since))}`;
  return new UserError(
    `expected to be alone on the balancer's host (${address}), got "lbctl ${command}" by ${user}${age}`,
    {
      code: "host_locked",
      next: [
        "wait until it is done: the lock goes with the command, at most two minutes after its connection",
        `ask ${user}; /var/lib/lbctl/audit.log over there says what was done`,
      ],
    },
  );
}

function parseOwner(text: string): { user?: string; command?: string; since?: string } {
  try {
    return JSON.parse(text) as { user?: string; command?: string; since?: string };
  } catch {
    return {};
  }
}

function lost(address: string): UserError {
  return new UserError(`expected the connection to the balancer's host (${address}) to last, got its end`, {
    code: "host_session_lost",
    next: ["see that the host is up, then run the same command again: it goes on from where it stopped"],
  });
}

/** What systemd is told (sd_notify(3)). Node.js has no datagram sockets of that kind: systemd-notify speaks for us. */

import { spawn } from "node:child_process";

/** Tells systemd how the process fares; without one it does nothing. */
export class Notifier {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #program: string;
  #watch: NodeJS.Timeout | undefined;

  constructor(environment: NodeJS.ProcessEnv, program = "systemd-notify") {
    this.#environment = environment;
    this.#program = program;
  }

  ready(status: string): Promise<void> {
    return this.#say("--ready", `--status=${status}`);
  }

  /** For `systemctl status`. */
  status(text: string): Promise<void> {
    return this.#say(`--status=${text}`);
  }

  stopping(status: string): Promise<void> {
    return this.#say("STOPPING=1", `--status=${status}`);
  }

  /**
   * Feeds the watchdog, three times in its time, as long as `alive` resolves: a call that hangs, or an event loop that
   * is stuck, is followed by a new start.
   */
  watch(alive: () => Promise<void>): void {
    const { WATCHDOG_USEC, WATCHDOG_PID } = this.#environment;
    const interval = Number(WATCHDOG_USEC) / 3000;
    if (!(interval > 0) || (WATCHDOG_PID ?? String(process.pid)) !== String(process.pid)) return;
    let asking = false;
    this.#watch = setInterval(() => {
      if (asking) return;
      asking = true;
      void alive()
        .then(() => this.#say("WATCHDOG=1"))
        .then(() => {
          asking = false;
        })
        .catch(() => {}); // it is not fed any more, and that is all that systemd has to know
    }, interval);
  }

  unwatch(): void {
    clearInterval(this.#watch);
  }

  /** Resolves when systemd has heard it. What goes wrong is said on stderr, and systemd then acts on its own. */
  async #say(...args: readonly string[]): Promise<void> {
    if (!this.#environment.NOTIFY_SOCKET) return;
    const child = spawn(this.#program, [...args], { stdio: ["ignore", "ignore", "inherit"] });
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once("error", (error) => {
      process.stderr.write(`lb-proxy: expected to run ${this.#program}, got ${error.message}\n`);
      resolve();
    });
    child.once("close", () => resolve());
    await promise;
  }
}

import { setTimeout as sleep } from "node:timers/promises";
import { Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Status extends BaseCommand {
  static override summary = "Show nodes, writes and processes.";
  static override description = "Exit code 1 when the balancer doesn't answer or too few nodes are in-sync.";
  static override examples = [
    "<%= config.bin %> status",
    "<%= config.bin %> status --watch",
    "<%= config.bin %> status --json",
  ];
  static override flags = {
    watch: Flags.boolean({ char: "w", summary: "Again every second, until Ctrl-C." }),
    config: configFlag,
    json: jsonFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    const { isServing, status } = await import("../operations/status.ts");
    const { renderStatus } = await import("../tools/render.ts");
    if (flags.watch) return this.#watch(flags.config, flags.json);
    const found = await status(flags.config, this.signal);
    this.show(found, flags.json, renderStatus);
    if (!isServing(found)) this.exit(1);
  }

  /** On a terminal in place; elsewhere one after the other (with --json: one a line). */
  async #watch(config: string | undefined, json: boolean): Promise<void> {
    const { status } = await import("../operations/status.ts");
    const { renderStatus } = await import("../tools/render.ts");
    this.endWithReader();
    while (!this.signal.aborted) {
      const found = await status(config, this.signal).catch((error: unknown) => {
        if (!this.signal.aborted) throw error;
      });
      if (!found) return;
      const clear = process.stdout.isTTY && !json ? "\u001b[H\u001b[2J" : "";
      this.log(json ? JSON.stringify(found) : `${clear}${renderStatus(found)}\n`);
      await sleep(1000, undefined, { signal: this.signal }).catch(() => undefined);
    }
  }
}

import { Args, Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Logs extends BaseCommand {
  static override summary = "Show the logs of balancer, nodes and supervisor, by time.";
  static override examples = [
    "<%= config.bin %> logs",
    "<%= config.bin %> logs -f balancer",
    "<%= config.bin %> logs app2 --lines 200",
  ];
  static override args = {
    name: Args.string({ name: "NAME", description: "balancer, app1 … or supervisor; all without it." }),
  };
  static override flags = {
    follow: Flags.boolean({ char: "f", summary: "Go on with what comes, until Ctrl-C." }),
    lines: Flags.integer({
      char: "n",
      default: 50,
      min: 0,
      max: 100_000,
      summary: "How many to begin with.",
    }),
    config: configFlag,
    json: { ...jsonFlag, summary: "Print the lines as they were written." },
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logs);
    const { logs } = await import("../operations/logs.ts");
    const { renderLogLine } = await import("../tools/log-lines.ts");
    const { config, lines, follow } = flags;
    await logs({ config, lines, follow, name: args.name, signal: this.signal }, (line, source) =>
      this.log(flags.json ? line : renderLogLine(line, source)),
    );
  }
}

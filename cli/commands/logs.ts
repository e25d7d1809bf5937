import { Args, Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

/** Without --lines: the end of the logs; with --since everything from then on, as far as the logs go. */
const LINES = 50;
const MOST_LINES = 100_000;

export class Logs extends BaseCommand {
  static override summary = "Show the logs of balancer, nodes and whatever runs beside them, by time.";
  static override examples = [
    "<%= config.bin %> logs",
    "<%= config.bin %> logs -f balancer",
    "<%= config.bin %> logs -f --node app2",
    "<%= config.bin %> logs --since 10m",
    "<%= config.bin %> logs --seq 42",
  ];
  static override args = {
    name: Args.string({
      name: "NAME",
      description: "balancer, app1 …, supervisor, prometheus …; all without it.",
    }),
  };
  static override flags = {
    follow: Flags.boolean({ char: "f", summary: "Go on with what comes, until Ctrl-C." }),
    lines: Flags.integer({
      char: "n",
      min: 0,
      max: MOST_LINES,
      summary: `How many to begin with (${LINES}; with --since all).`,
    }),
    since: Flags.string({
      helpValue: "TIME",
      summary: "Only later ones: 10m, 2h, 1d, 02:13, 2026-03-09T02:13.",
    }),
    node: Flags.string({ helpValue: "NAME", summary: "Only what a node says and what is said of it." }),
    seq: Flags.integer({ min: 1, summary: "Only what is said of this write." }),
    id: Flags.string({
      helpValue: "ID",
      summary: "Only what is said of the request with this X-Request-Id.",
    }),
    config: configFlag,
    json: { ...jsonFlag, summary: "Print each line as JSON, with the process that it is from." },
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logs);
    const { logs } = await import("../operations/logs.ts");
    const { parseSince } = await import("../tools/log-filter.ts");
    const { jsonLogLine, renderLogLine } = await import("../tools/log-lines.ts");
    const { config, follow, node = null, seq = null, id = null } = flags;
    const since = flags.since === undefined ? null : parseSince(flags.since);
    const lines = flags.lines ?? (since === null ? LINES : MOST_LINES);
    const filter = { since, node, seq, id };
    if (follow) this.endWithReader();
    await logs({ config, lines, follow, filter, name: args.name, signal: this.signal }, (line, source) =>
      this.log(flags.json ? jsonLogLine(line, source) : renderLogLine(line, source)),
    );
  }
}

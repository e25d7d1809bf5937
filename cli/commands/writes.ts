import { Args, Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

const seqArg = { seq: Args.string({ name: "SEQ", required: true, description: "The write's number." }) };
const commonFlags = { config: configFlag, json: jsonFlag };

export class WritesList extends BaseCommand {
  static override summary = "List the last writes, in the order they were recorded; bodies are never shown.";
  static override examples = [
    "<%= config.bin %> writes list",
    "<%= config.bin %> writes list --pending --limit 20",
  ];
  static override flags = {
    pending: Flags.boolean({ summary: "Only those that not every member has got, the oldest first." }),
    limit: Flags.integer({ default: 50, min: 1, max: 1000, summary: "At most so many." }),
    ...commonFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(WritesList);
    const { listWrites } = await import("../operations/writes.ts");
    const { renderWrites } = await import("../tools/render-write.ts");
    const found = await listWrites({ config: flags.config, signal: this.signal }, flags.pending, flags.limit);
    this.show(found, flags.json, renderWrites);
  }
}

export class WritesShow extends BaseCommand {
  static override summary =
    "Follow one write: what the client got, how far it is at each node, what went wrong last.";
  static override examples = ["<%= config.bin %> writes show 42"];
  static override args = seqArg;
  static override flags = commonFlags;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(WritesShow);
    const { showWrite } = await import("../operations/writes.ts");
    const { renderWrite } = await import("../tools/render-write.ts");
    this.show(
      await showWrite({ config: flags.config, signal: this.signal }, args.seq),
      flags.json,
      renderWrite,
    );
  }
}

export class WritesRetry extends BaseCommand {
  static override summary = "Deliver a write that was set aside once more, to all nodes.";
  static override examples = ["<%= config.bin %> writes retry 42"];
  static override args = seqArg;
  static override flags = commonFlags;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(WritesRetry);
    const { decideWrite } = await import("../operations/writes.ts");
    const { renderWrite } = await import("../tools/render-write.ts");
    const write = await decideWrite({ config: flags.config, signal: this.signal }, args.seq, "retry");
    this.show(write, flags.json, renderWrite);
  }
}

export class WritesSkip extends BaseCommand {
  static override summary = "Give up a write that was set aside, on all nodes alike; the audit log keeps it.";
  static override examples = ["<%= config.bin %> writes skip 42"];
  static override args = seqArg;
  static override flags = commonFlags;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(WritesSkip);
    const { decideWrite } = await import("../operations/writes.ts");
    const { renderWrite } = await import("../tools/render-write.ts");
    const write = await decideWrite({ config: flags.config, signal: this.signal }, args.seq, "skip");
    this.show(write, flags.json, renderWrite);
  }
}

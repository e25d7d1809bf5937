import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Verify extends BaseCommand {
  static override summary = "Check that every node holds the same.";
  static override description =
    "Takes each node's digest at one and the same write, where deliveries pause for a moment, so that it is right under load. Exit code 1 on any difference, and where a node could not be compared.";
  static override examples = ["<%= config.bin %> verify", "<%= config.bin %> verify --json"];
  static override flags = { config: configFlag, json: jsonFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Verify);
    const { verify } = await import("../operations/verify.ts");
    const { renderVerify } = await import("../tools/render-verify.ts");
    const found = await verify(flags.config, this.signal);
    const { report, problems, next } = found;
    this.show({ ...report, problems, next }, flags.json, () => renderVerify(found));
    if (problems.length > 0) this.exit(1);
  }
}

import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Verify extends BaseCommand {
  static override summary = "Check that every node holds the same.";
  static override description =
    "Takes each node's digest at one and the same write, where deliveries pause for a moment, so that it is right under load. Exit code 1 on any difference.";
  static override examples = ["<%= config.bin %> verify", "<%= config.bin %> verify --json"];
  static override flags = { config: configFlag, json: jsonFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Verify);
    const { verify } = await import("../operations/verify.ts");
    const { renderVerify } = await import("../tools/render.ts");
    const { report, problems } = await verify(flags.config, this.signal);
    this.show({ ...report, problems }, flags.json, () => renderVerify(report, problems));
    if (problems.length > 0) this.exit(1);
  }
}

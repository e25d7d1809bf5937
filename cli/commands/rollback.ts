import { BaseCommand, configFlag, jsonFlag, verboseFlag, yesFlag } from "../command.ts";

export class Rollback extends BaseCommand {
  static override summary = "Go back to the release that ran before, one node at a time.";
  static override description =
    "For target hosts: the releases are kept there side by side, and the journal of a release can be read by the one before it. The two change places: another rollback goes forth again to the release that this one left, not further back.";
  static override examples = ["<%= config.bin %> rollback"];
  static override flags = { verbose: verboseFlag, yes: yesFlag, config: configFlag, json: jsonFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Rollback);
    const { rollback } = await import("../operations/deploy.ts");
    const { readRecord } = await import("../hosts/record.ts");
    const { renderRolledBack, deployedAsJson } = await import("../tools/render-deployed.ts");
    const done = await rollback(flags.config, this.context(flags.json, flags));
    if (flags.json) return this.show(deployedAsJson(done), true, String);
    const record = await readRecord(done.cluster.state);
    this.log(renderRolledBack(done, record?.before ?? null));
  }
}

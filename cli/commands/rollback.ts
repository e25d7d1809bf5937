import { BaseCommand, configFlag, jsonFlag, verboseFlag } from "../command.ts";

export class Rollback extends BaseCommand {
  static override summary = "Go back to the release that ran before, one node at a time.";
  static override description =
    "For target hosts: the releases are kept there side by side, and the journal of a release can be read by the one before it. lbctl deploy goes forward again.";
  static override examples = ["<%= config.bin %> rollback"];
  static override flags = { verbose: verboseFlag, config: configFlag, json: jsonFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Rollback);
    const { rollback } = await import("../operations/deploy.ts");
    const { renderDeployed, deployedAsJson } = await import("../tools/render-deployed.ts");
    const done = await rollback(flags.config, this.context(flags.json, flags));
    if (flags.json) this.show(deployedAsJson(done), true, String);
    else this.log(renderDeployed(done));
  }
}

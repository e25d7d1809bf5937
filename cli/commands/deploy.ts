import { BaseCommand, configFlag, jsonFlag, verboseFlag, yesFlag } from "../command.ts";

export class Deploy extends BaseCommand {
  static override summary = "Start the cluster, or apply what changed in lbctl.yaml.";
  static override description =
    "Waits until every node is in-sync. Run again, it changes nothing, starts what isn't running, or goes on where a command was stopped.";
  static override examples = [
    "<%= config.bin %> deploy",
    "<%= config.bin %> deploy --config staging/lbctl.yaml",
  ];
  static override flags = { verbose: verboseFlag, yes: yesFlag, config: configFlag, json: jsonFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Deploy);
    const { deploy } = await import("../operations/deploy.ts");
    const { renderDeployed, deployedAsJson } = await import("../tools/render-deployed.ts");
    const deployed = await deploy(flags.config, this.context(flags.json, flags));
    if (flags.json) this.show(deployedAsJson(deployed), true, String);
    else this.log(renderDeployed(deployed));
  }
}

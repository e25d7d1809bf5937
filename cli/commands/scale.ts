import { Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag, verboseFlag, yesFlag } from "../command.ts";

export class Scale extends BaseCommand {
  static override summary = "Change the number of nodes, without a failed request.";
  static override description =
    "New nodes join the reads once they have every write. Those that go are drained first. The number is kept in lbctl.yaml; without that file, in the cluster's state.";
  static override examples = ["<%= config.bin %> scale --nodes 7", "<%= config.bin %> scale -n 2"];
  static override flags = {
    nodes: Flags.string({ char: "n", required: true, helpValue: "N", summary: "How many, 1 to 9." }),
    verbose: verboseFlag,
    yes: yesFlag,
    config: configFlag,
    json: jsonFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Scale);
    const { scale } = await import("../operations/scale.ts");
    const { renderScaled, deployedAsJson } = await import("../tools/render-deployed.ts");
    const scaled = await scale(flags.config, flags.nodes, this.context(flags.json, flags));
    if (flags.json) this.show(deployedAsJson(scaled), true, String);
    else this.log(renderScaled(scaled));
  }
}

import { Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag, verboseFlag } from "../command.ts";

export class Destroy extends BaseCommand {
  static override summary = "End every process of the cluster and delete its data.";
  static override examples = ["<%= config.bin %> destroy", "<%= config.bin %> destroy --yes --keep-data"];
  static override flags = {
    yes: Flags.boolean({ char: "y", summary: "Don't ask." }),
    "keep-data": Flags.boolean({ summary: "Keep journal, keys and the nodes' data for the next deploy." }),
    verbose: verboseFlag,
    config: configFlag,
    json: jsonFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Destroy);
    const { destroy } = await import("../operations/destroy.ts");
    const options = { yes: flags.yes, keepData: flags["keep-data"] };
    const result = await destroy(flags.config, options, this.context(flags.json, flags));
    const done = options.keepData ? "is stopped; lbctl deploy goes on with its data" : "is gone";
    this.show(result, flags.json, ({ name, destroyed }) =>
      destroyed ? `cluster "${name}" ${done}` : `nothing to do: there is no cluster "${name}"`,
    );
  }
}

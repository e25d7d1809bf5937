import { Flags } from "@oclif/core";
import { BaseCommand, configFlag } from "../command.ts";

export class Init extends BaseCommand {
  static override summary = "Write a commented lbctl.yaml.";
  static override examples = ["<%= config.bin %> init", "<%= config.bin %> init --print"];
  static override flags = {
    print: Flags.boolean({ summary: "Print it instead." }),
    config: configFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Init);
    if (flags.print) {
      const { CONFIG_TEMPLATE } = await import("../tools/config-template.ts");
      this.log(CONFIG_TEMPLATE.trimEnd());
      return;
    }
    const { init } = await import("../operations/init.ts");
    this.log(`wrote ${await init(flags.config)}\n\nNext:\n  lbctl deploy`);
  }
}

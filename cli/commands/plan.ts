import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Plan extends BaseCommand {
  static override summary = "Show what deploy would change.";
  static override examples = ["<%= config.bin %> plan", "<%= config.bin %> plan --json"];
  static override flags = { config: configFlag, json: jsonFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Plan);
    const { costOf, plan } = await import("../operations/deploy.ts");
    const { renderChanges } = await import("../tools/render.ts");
    const changes = await plan(flags.config, this.context(flags.json));
    this.show(changes, flags.json, (found) => (found.length > 0 ? renderChanges(found) : "nothing to do"));
    const cost = flags.json ? null : await costOf(flags.config);
    if (cost !== null) this.log(`\n${cost}`);
  }
}

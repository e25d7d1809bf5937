import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Dashboard extends BaseCommand {
  static override summary = "Say where the stats page is, and where its password.";
  static override examples = ["<%= config.bin %> dashboard"];
  static override flags = { config: configFlag, json: jsonFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Dashboard);
    const { loadClusterConfig } = await import("../config-file.ts");
    const { targetOf } = await import("../targets.ts");
    const config = await loadClusterConfig(flags.config);
    const { adminUrl, adminUser, adminPasswordFile } = await (await targetOf(config)).find(config);
    this.show({ url: adminUrl, user: adminUser, passwordFile: adminPasswordFile }, flags.json, (entry) =>
      [`stats page  ${entry.url}`, `user        ${entry.user}`, `password    in ${entry.passwordFile}`].join(
        "\n",
      ),
    );
  }
}

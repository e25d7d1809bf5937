import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Dashboard extends BaseCommand {
  static override summary = "Say where the stats page is, and where its password.";
  static override examples = ["<%= config.bin %> dashboard"];
  static override flags = { config: configFlag, json: jsonFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Dashboard);
    const { loadCluster } = await import("../cluster.ts");
    const { adminUrl, adminUser, adminPasswordFile } = await loadCluster({ config: flags.config });
    this.show({ url: adminUrl, user: adminUser, passwordFile: adminPasswordFile }, flags.json, (entry) =>
      [`stats page  ${entry.url}`, `user        ${entry.user}`, `password    in ${entry.passwordFile}`].join(
        "\n",
      ),
    );
  }
}

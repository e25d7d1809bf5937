import { Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Dashboard extends BaseCommand {
  static override summary = "Open the dashboards, or say where they are.";
  static override description =
    "Opens Grafana's overview where it runs, else the stats page, in the browser of this machine's screen; without a screen or a terminal it only prints the addresses.";
  static override examples = ["<%= config.bin %> dashboard", "<%= config.bin %> dashboard --no-open"];
  static override flags = {
    open: Flags.boolean({ allowNo: true, default: true, summary: "Open a browser; --no-open only prints." }),
    config: configFlag,
    json: { ...jsonFlag, summary: "Print JSON, and open nothing." },
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Dashboard);
    const { dashboards, openPage } = await import("../operations/dashboard.ts");
    const { renderDashboards } = await import("../tools/render-dashboards.ts");
    const found = await dashboards(flags.config);
    this.show(found, flags.json, renderDashboards);
    if (flags.json || !flags.open) return;
    const opened = await openPage(found, process.stdout.isTTY === true);
    if (opened === "") this.warn("expected a browser to take the page, got none: open it by hand");
    else if (opened !== null) this.log(`\nopened ${opened}`);
  }
}

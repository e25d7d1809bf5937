import { Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Doctor extends BaseCommand {
  static override summary = "Say what this machine lacks for the cluster, and what mends it.";
  static override description = "Exit code 1 when something is missing that the cluster cannot do without.";
  static override examples = ["<%= config.bin %> doctor"];
  static override flags = {
    fix: Flags.boolean({ summary: "Mend what lbctl can mend by itself (target hosts: a private Ansible)." }),
    config: configFlag,
    json: jsonFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Doctor);
    const { doctor } = await import("../operations/doctor.ts");
    const { isMissing, renderFindings } = await import("../tools/render.ts");
    const { target, findings } = await doctor(flags.config, flags.fix, this.signal);
    this.show({ target, findings }, flags.json, () => renderFindings(target, findings));
    if (findings.some(isMissing)) this.exit(1);
  }
}

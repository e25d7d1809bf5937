import { Flags } from "@oclif/core";
import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

export class Bench extends BaseCommand {
  static override summary =
    "Load the cluster at a fixed rate, then look for every acknowledged write on every node.";
  static override description =
    `Logins, registrations and password changes arrive on a schedule that waits for nobody; latencies count from when a request was due. Afterwards every node is asked for what was acknowledged.

Exit code 99: the rate was not reached (within 1 %), there was an error, or a write is missing.`;
  static override examples = [
    "<%= config.bin %> bench",
    "<%= config.bin %> bench --reads 2000 --writes 0 --duration 2m",
    "<%= config.bin %> bench --json > bench.json",
    "<%= config.bin %> bench --url http://10.0.0.5:8080 --allow-other-target",
  ];
  static override flags = {
    reads: Flags.string({ helpValue: "N", summary: "Logins a second [default: 1000]." }),
    writes: Flags.string({
      helpValue: "N",
      summary: "Registrations and password changes a second [default: 100].",
    }),
    duration: Flags.string({ helpValue: "TIME", summary: "How long: 500ms, 30s, 2m [default: 30s]." }),
    connections: Flags.string({
      helpValue: "N",
      summary: "At most, for reads and for writes each [default: 128].",
    }),
    seed: Flags.string({ helpValue: "N", summary: "Same seed, same mix of requests [default: 1]." }),
    poisson: Flags.boolean({ summary: "Arrivals at random (Poisson), not evenly." }),
    retry: Flags.boolean({
      summary:
        "Send an Idempotency-Key with each write; repeat those without a clear outcome, for up to 30 s.",
    }),
    "audit-users": Flags.string({
      helpValue: "N",
      summary: "Look for at most so many users on each node, else for a random sample [default: 2500].",
    }),
    url: Flags.string({ helpValue: "URL", summary: "The balancer; without it this cluster's." }),
    "allow-other-target": Flags.boolean({
      summary: "With --url: load it though it isn't this cluster's balancer.",
    }),
    config: configFlag,
    json: jsonFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Bench);
    const { bench } = await import("../operations/bench.ts");
    const output = { print: (text: string) => this.log(text), progress: process.stderr };
    const exitCode = await bench(flags, output, this.signal);
    if (exitCode !== 0) this.exit(exitCode);
  }
}

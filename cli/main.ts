/** lbctl's entry: hands argv to oclif, and turns what goes wrong into a message and an exit code. */
import { settings } from "@oclif/core";
import { run } from "@oclif/core/run";
import { packageRoot, packageVersion } from "./package.ts";
import { reportError } from "./report-error.ts";

const DESCRIPTION =
  "A load balancer for app servers that keep their own state: every write to all of them, durably and in order; every read to one of them, in turn.";

const TOPICS = {
  nodes: {
    description: "See the nodes, take one out of the reads, bring it back, give it the others' state.",
  },
  writes: { description: "See recorded writes, and decide on those that were set aside." },
};

export async function main(argv: readonly string[]): Promise<void> {
  settings.enableAutoTranspile = false;
  try {
    await run(withoutHelpWord(argv), { root: packageRoot(), pjson: packageManifest() });
  } catch (error) {
    process.exitCode = reportError(error, argv);
  }
}

/** `lbctl help scale` is `lbctl scale --help`. */
function withoutHelpWord(argv: readonly string[]): string[] {
  return argv[0] === "help" ? [...argv.slice(1), "--help"] : [...argv];
}

/** What oclif would read from package.json. */
function packageManifest() {
  return {
    name: "lbctl",
    version: packageVersion(),
    type: "module",
    oclif: {
      bin: "lbctl",
      description: DESCRIPTION,
      topicSeparator: " " as const,
      topics: TOPICS,
      commands: { strategy: "explicit" as const, target: commandsFile(), identifier: "COMMANDS" },
    },
  };
}

/** Relative to the package: oclif joins the two. */
function commandsFile(): string {
  return import.meta.filename.endsWith(".ts") ? "./cli/commands/index.ts" : "./dist/cli/commands.mjs";
}

/** Settings in, Terraform's JSON out. Built into one file that only commands of target aws load. */
import { tmpdir } from "node:os";
import { App } from "./cdktf.ts";
import type { StackSettings } from "./settings.ts";
import { ClusterStack } from "./stack.ts";

/** @returns the text of `main.tf.json`: the same for the same settings, whoever asks and wherever */
export function synthesize(settings: StackSettings): string {
  // App makes its outdir, which nothing is written to here: one that is there already leaves no trace.
  const app = new App({ outdir: tmpdir(), stackTraces: false });
  const stack = new ClusterStack(app, settings);
  stack.prepareStack();
  stack.runAllValidations();
  return `${JSON.stringify(stack.toTerraform(), withoutMetadata, 2)}\n`;
}

/** cdktf's own notes, which Terraform ignores. */
function withoutMetadata(key: string, value: unknown): unknown {
  return key === "//" ? undefined : value;
}

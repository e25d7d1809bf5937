/** Applies the plan that is in a folder, in a process of its own: what happens to that one is the test. */
import { applyMachines } from "../../../cli/aws/provision.ts";
import { findTerraform } from "../../../cli/aws/terraform.ts";

const [dir = "", onInterrupt] = process.argv.slice(2);
const interruption = new AbortController();
// As lbctl does: the first one is an order, more of them are impatience.
if (onInterrupt === "stop") process.on("SIGINT", () => interruption.abort(new Error("SIGINT")));
const terraform = await findTerraform();
const where = {
  program: terraform.program,
  dir,
  region: "eu-central-1",
  profile: null,
  command: "deploy" as const,
};
await applyMachines({ terraform, where, signal: interruption.signal }, () => undefined).catch((error) => {
  process.stdout.write(`${error.code}\n`);
});

/** A configuration of Terraform's built-in resource: all of Terraform, nothing of AWS. */
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Work } from "../../../cli/aws/provision.ts";
import { findTerraform, runTerraform } from "../../../cli/aws/terraform.ts";
import { initArgs } from "../../../cli/aws/terraform-argv.ts";
import { tempFolder } from "../../support/temp-folder.ts";

/** Why these tests can't be run here; false: they can. */
export const NO_TERRAFORM = ["terraform", "tofu"].some(isThere)
  ? false
  : "neither terraform nor tofu is installed";

export interface Resource {
  readonly input: unknown;
  /** Run when it is made. */
  readonly command?: string;
}

export async function workspace(
  t: TestContext,
  resources: Readonly<Record<string, Resource>>,
  signal: AbortSignal = new AbortController().signal,
): Promise<Work> {
  const dir = tempFolder(t);
  const terraform = await findTerraform();
  const work = {
    terraform,
    where: {
      program: terraform.program,
      dir,
      region: "eu-central-1",
      profile: null,
      command: "deploy" as const,
    },
    signal,
  };
  await configure(work, resources);
  const ran = await runTerraform(terraform, dir, initArgs(), signal);
  if (ran.code !== 0) throw new Error(ran.stderr);
  return work;
}

/** Another configuration in the same place. @param backend where the state is; by default beside it */
export async function configure(
  work: Work,
  resources: Readonly<Record<string, Resource>>,
  backend?: Readonly<Record<string, unknown>>,
): Promise<void> {
  const data = Object.fromEntries(
    Object.entries(resources).map(([name, { input, command }]) => [
      name,
      { input, ...(command === undefined ? {} : { provisioner: [{ "local-exec": { command } }] }) },
    ]),
  );
  const values = Object.fromEntries(
    Object.keys(resources).map((name) => [name, `\${terraform_data.${name}.output}`]),
  );
  const { balancer, ...nodes } = values;
  const output = { balancer: { value: balancer }, nodes: { value: nodes } };
  await writeFile(
    join(work.where.dir, "main.tf.json"),
    JSON.stringify({
      ...(backend === undefined ? {} : { terraform: { backend } }),
      resource: { terraform_data: data },
      ...(balancer === undefined ? {} : { output }),
    }),
  );
}

function isThere(program: string): boolean {
  try {
    execFileSync(program, ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

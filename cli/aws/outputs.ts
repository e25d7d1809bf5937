/** What Terraform knows of the machines once they are there: `terraform output -json`. */
import { z } from "zod";
import { UserError } from "../errors.ts";

export interface Outputs {
  readonly balancer: {
    readonly instance_id: string;
    /** Inside the VPC. */
    readonly private_ip: string;
    /** Where clients come: the elastic address. */
    readonly address: string;
  };
  /** By name, in order. */
  readonly nodes: readonly {
    readonly name: string;
    readonly instance_id: string;
    readonly private_ip: string;
  }[];
}

const machine = { instance_id: z.string().min(1), private_ip: z.string().min(1) };
const schema = z.object({
  balancer: z.object({ value: z.object({ ...machine, address: z.string().min(1) }) }),
  nodes: z.object({ value: z.record(z.string(), z.object(machine)) }),
});

/** @param text of `terraform output -json`; as toOutputs */
export function parseOutputs(text: string): Outputs | null {
  return toOutputs(JSON.parse(text) as Readonly<Record<string, unknown>>);
}

/**
 * @param found by name, each with its `value`
 * @returns null where nothing has been made yet
 * @throws UserError where an apply stopped half-way: outputs are written at its end
 */
export function toOutputs(found: Readonly<Record<string, unknown>>): Outputs | null {
  if (Object.keys(found).length === 0) return null;
  const parsed = schema.safeParse(found);
  if (!parsed.success) {
    throw new UserError("expected Terraform's outputs to name every machine, got some without an address", {
      code: "outputs_incomplete",
      problems: parsed.error.issues.map(({ path, message }) => `${path.join("/")}: ${message}`),
      next: ["lbctl deploy   # an earlier one stopped half-way; this one goes on"],
    });
  }
  const { balancer, nodes } = parsed.data;
  return {
    balancer: balancer.value,
    nodes: Object.entries(nodes.value)
      .map(([name, node]) => ({ name, ...node }))
      .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true })),
  };
}

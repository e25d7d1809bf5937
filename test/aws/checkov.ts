/** A policy scan of what infra/ makes, by checkov. Part of `npm run test:aws`. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, suite, test } from "node:test";
import { promisify } from "node:util";
import { stackOf } from "../infra/stack.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { EXCEPTIONS } from "./policy-exceptions.ts";
import { NO_PYTHON, venv } from "./venv.ts";

interface Report {
  readonly results: {
    readonly failed_checks: readonly { check_id: string; resource: string; check_name: string }[];
  };
  readonly summary: { readonly passed: number; readonly parsing_errors: number };
}

const STACKS = {
  "three nodes, local state": {},
  "nine nodes on arm64, state in S3, a name in DNS, a protected journal": {
    count: 9,
    balancerType: "t4g.medium",
    appType: "t4g.small",
    state: { backend: "s3", bucket: "shop-state", key: "shop", region: "eu-central-1" },
    dns: { zone: "example.org", name: "lb.example.org" },
    journal: { size: 50, protect: true },
  },
  "SSH from administrators": { access: "ssh", adminAddresses: ["192.0.2.0/24"] },
  "a VPC that is there": {
    network: { vpc: "vpc-0a", publicSubnet: "subnet-0a", privateSubnets: ["subnet-0b", "subnet-0c"] },
  },
} satisfies Record<string, Parameters<typeof stackOf>[0]>;

suite("no check of checkov's fails but those that are meant to", { skip: NO_PYTHON }, () => {
  let bin = "";
  before(async () => {
    bin = await venv();
  });
  const failed = new Set<string>();

  for (const [name, settings] of Object.entries(STACKS)) {
    test(name, async (t) => {
      const dir = join(tempFolder(t), "stack");
      await mkdir(dir);
      // checkov takes the block `terraform` for a resource's.
      const { terraform: _, ...stack } = stackOf(settings);
      await writeFile(join(dir, "main.tf.json"), JSON.stringify(stack, null, 2));
      const { results, summary } = await scan(bin, dir);
      assert.equal(summary.parsing_errors, 0);
      assert.ok(summary.passed > 60, `${summary.passed} checks passed`);
      t.diagnostic(`${summary.passed} checks passed, ${results.failed_checks.length} are exceptions`);
      for (const { check_id } of results.failed_checks) failed.add(check_id);
      assert.deepEqual(
        results.failed_checks
          .filter(({ check_id }) => !(check_id in EXCEPTIONS))
          .map(({ check_id, resource, check_name }) => `${check_id} ${resource}: ${check_name}`),
        [],
      );
    });
  }

  test("every exception is one: it fails somewhere", () => {
    assert.deepEqual(
      Object.keys(EXCEPTIONS).filter((id) => !failed.has(id)),
      [],
    );
  });
});

async function scan(bin: string, dir: string): Promise<Report> {
  const args = [
    "--directory",
    dir,
    "--framework",
    "terraform_json",
    "--output",
    "json",
    "--compact",
    "--quiet",
    "--soft-fail",
  ];
  // It would ask its maker for guidelines, and write what that says to stderr.
  const { stdout } = await promisify(execFile)(join(bin, "checkov"), [...args, "--skip-download"], {
    maxBuffer: 64 * 1024 ** 2,
  });
  return JSON.parse(stdout) as Report;
}

/** A policy scan of what infra/ makes, by checkov. Part of `npm run test:aws`. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, suite, test } from "node:test";
import { promisify } from "node:util";
import { stackOf } from "../infra/stack.ts";
import { EXCEPTIONS } from "./policy-exceptions.ts";
import { NO_PYTHON, venv } from "./venv.ts";

interface Report {
  readonly results: {
    readonly failed_checks: readonly {
      file_path: string;
      check_id: string;
      resource: string;
      check_name: string;
    }[];
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
  let report: Report = { results: { failed_checks: [] }, summary: { passed: 0, parsing_errors: 0 } };

  before(async () => {
    report = await scan(await venv());
  });

  test("everything was looked at", (t) => {
    assert.equal(report.summary.parsing_errors, 0);
    assert.ok(
      report.summary.passed > 60 * Object.keys(STACKS).length,
      `${report.summary.passed} checks passed`,
    );
    t.diagnostic(`${report.summary.passed} checks passed`);
  });

  for (const [index, name] of Object.keys(STACKS).entries()) {
    test(name, (t) => {
      const failed = report.results.failed_checks.filter(({ file_path }) =>
        file_path.startsWith(`/${index}/`),
      );
      t.diagnostic(`${failed.length} exceptions`);
      assert.deepEqual(
        failed
          .filter(({ check_id }) => !(check_id in EXCEPTIONS))
          .map(({ check_id, resource, check_name }) => `${check_id} ${resource}: ${check_name}`),
        [],
      );
    });
  }

  test("every exception is one: it fails somewhere", () => {
    const failed = new Set(report.results.failed_checks.map(({ check_id }) => check_id));
    assert.deepEqual(
      Object.keys(EXCEPTIONS).filter((id) => !failed.has(id)),
      [],
    );
  });
});

/** All in one run: starting it takes longer than scanning. */
async function scan(bin: string): Promise<Report> {
  const dir = await mkdtemp(join(tmpdir(), "lbctl-checkov-"));
  try {
    for (const [index, settings] of Object.values(STACKS).entries()) {
      // checkov takes the block `terraform` for a resource's.
      const { terraform: _, ...stack } = stackOf(settings);
      await mkdir(join(dir, String(index)));
      await writeFile(join(dir, String(index), "main.tf.json"), JSON.stringify(stack, null, 2));
    }
    const what = ["--directory", dir, "--framework", "terraform_json"];
    // Else it asks its maker for guidelines.
    const how = ["--output", "json", "--compact", "--quiet", "--soft-fail", "--skip-download"];
    const { stdout } = await promisify(execFile)(join(bin, "checkov"), [...what, ...how], {
      maxBuffer: 64 * 1024 ** 2,
    });
    return JSON.parse(stdout) as Report;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

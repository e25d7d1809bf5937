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

const GIVEN = {
  vpc: "vpc-0a",
  publicSubnet: "subnet-0a",
  privateSubnets: ["subnet-0b", "subnet-0c"],
} as const;

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
  "administrators' pages, HTTPS, an image of one's own": {
    adminAddresses: ["192.0.2.0/24", "2001:db8::/64"],
    trafficPorts: [443],
    image: "ami-0123456789abcdef0",
  },
  "a VPC that is there": { network: GIVEN },
  "a VPC that is there, SSH from administrators, clients from some blocks": {
    network: GIVEN,
    access: "ssh",
    adminAddresses: ["192.0.2.0/24"],
    trafficAddresses: ["198.51.100.0/24"],
  },
} satisfies Record<string, Parameters<typeof stackOf>[0]>;

/** A mistake that has a namesake among the exceptions; lbctl.yaml can't say it. */
const WRONG = { access: "ssh", adminAddresses: ["0.0.0.0/0"] } as const;

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
      const failed = failedIn(report, index);
      t.diagnostic(`${failed.length} exceptions`);
      assert.deepEqual(
        failed
          .filter((check) => !isException(check))
          .map(({ check_id, resource, check_name }) => `${check_id} ${resource}: ${check_name}`),
        [],
      );
    });
  }

  test("an exception is one for what it names only: SSH from everybody is none", () => {
    assert.deepEqual(
      failedIn(report, Object.keys(STACKS).length)
        .filter((check) => !isException(check))
        .map(({ check_id, resource }) => `${check_id} ${resource}`),
      ["CKV_AWS_24 resource.balancer-in-22-0-0-0-0-0"],
    );
  });

  test("every exception is one: it fails somewhere", () => {
    const failed = new Set(report.results.failed_checks.filter(isException).map(({ check_id }) => check_id));
    assert.deepEqual(
      Object.keys(EXCEPTIONS).filter((id) => !failed.has(id)),
      [],
    );
  });
});

function failedIn({ results }: Report, stack: number): Report["results"]["failed_checks"] {
  return results.failed_checks.filter(({ file_path }) => file_path.startsWith(`/${stack}/`));
}

function isException({
  check_id,
  resource,
}: {
  readonly check_id: string;
  readonly resource: string;
}): boolean {
  return EXCEPTIONS[check_id]?.on.test(resource) ?? false;
}

/** All in one run: starting it takes longer than scanning. */
async function scan(bin: string): Promise<Report> {
  const dir = await mkdtemp(join(tmpdir(), "lbctl-checkov-"));
  try {
    for (const [index, settings] of [...Object.values(STACKS), WRONG].entries()) {
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

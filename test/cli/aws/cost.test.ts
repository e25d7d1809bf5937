import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { costLines, renderCost, totalCost } from "../../../cli/aws/cost.ts";
import { settings } from "../../infra/stack.ts";

test("machines, disks, NAT gateway, addresses: by count and type, together about what AWS would ask", () => {
  const lines = costLines(settings({ count: 3 }));
  assert.deepEqual(
    lines.map(({ what, count }) => [what, count]),
    [
      ["balancer, t3.medium", 1],
      ["node, t3.small", 3],
      ["GiB of gp3 volumes", 84],
      ["NAT gateway", 1],
      ["public address", 2],
    ],
  );
  // 30.37 + 3 × 15.18 + 84 × 0.08 + 32.85 + 2 × 3.65
  assert.equal(totalCost(lines)?.toFixed(2), "122.79");
});

test("a VPC that is there has its own way out, at its owner's cost", () => {
  const network = {
    vpc: "vpc-0a",
    publicSubnet: "subnet-0a",
    privateSubnets: ["subnet-0b", "subnet-0c"],
  } as const;
  assert.ok(costLines(settings({ network })).every(({ what }) => what !== "NAT gateway"));
});

test("said to be an estimate, with date and region; an unknown type is no guess", () => {
  const text = stripVTControlCharacters(renderCost(settings({ appType: "x9z.large" })));
  assert.match(text, /An estimate: .* by the prices of \d{4}-\d{2} in us-east-1 \(eu-central-1 differs\)/);
  assert.match(text, /node, x9z\.large +3 +\? +\?/);
  assert.match(text, /together +\?/);
  assert.match(text, /Not in the table of prices: node, x9z\.large/);
});

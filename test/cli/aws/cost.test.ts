import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { costLines, renderCost, totalCost } from "../../../cli/aws/cost.ts";
import { PRICES_OF } from "../../../cli/aws/prices.ts";
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

test("prices that are older than a year say so; a year old they don't", () => {
  const [year, month] = PRICES_OF.split("-").map(Number) as [number, number];
  const say = (date: string) => stripVTControlCharacters(renderCost(settings(), new Date(date)));
  const then = (years: number, months: number) =>
    new Date(Date.UTC(year + years, month - 1 + months)).toISOString();
  assert.doesNotMatch(say(then(1, 0)), /older than a year/);
  assert.match(say(then(1, 1)), /prices of \d{4}-\d{2} .*\n *They are older than a year: /);
  assert.match(say(then(3, 0)), /They are older than a year: /);
});

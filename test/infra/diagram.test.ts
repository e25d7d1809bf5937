import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { drawStack } from "../../infra/diagram.ts";
import { AWS_PICTURE, awsPicture } from "../../scripts/generate-aws.ts";
import { stackOf } from "./stack.ts";

test(`${AWS_PICTURE} is what \`node scripts/generate-aws.ts\` draws`, () => {
  assert.equal(readFileSync(join(import.meta.dirname, "../..", AWS_PICTURE), "utf8"), awsPicture());
});

test("the picture has every machine with its type, and every port that is open", () => {
  const picture = drawStack(stackOf({ count: 9, appType: "m7g.medium", adminAddresses: ["192.0.2.0/24"] }));
  for (let number = 1; number <= 9; number++) assert.match(picture, new RegExp(`>app${number}</text>`));
  assert.equal(picture.match(/>m7g\.medium</g)?.length, 9);
  for (const label of [
    "everybody",
    "192.0.2.0/24",
    "80",
    "1936, 3000",
    "4567, 9100",
    "80, 443",
    "Session Manager",
  ]) {
    assert.ok(picture.includes(`>${label}</text>`), label);
  }
});

test("access by SSH: port 22 is in the picture, Session Manager is not", () => {
  const picture = drawStack(stackOf({ access: "ssh", adminAddresses: ["192.0.2.0/24"] }));
  assert.ok(picture.includes(">22, 1936, 3000</text>"));
  assert.ok(!picture.includes("Session Manager"));
});

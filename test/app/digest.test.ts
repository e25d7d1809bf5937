import assert from "node:assert/strict";
import { test } from "node:test";
import { digest, register } from "./client.ts";
import { startHere } from "./server.ts";

test("nodes that got the same writes in another order have the same digest", async (t) => {
  const [one, two] = [await startHere(t), await startHere(t)];
  for (const seq of [1, 2, 3]) await register(one.url, seq, `user${seq}`);
  for (const seq of [3, 1, 2]) await register(two.url, seq, `user${seq}`);
  const expected = await digest(one.url);
  assert.deepEqual(await digest(two.url), expected);
  assert.deepEqual([expected.users, expected.lastSeq], [3, 3]);
  assert.match(expected.digest, /^[0-9a-f]{64}$/);
});

test("a missing user, another user and another seq each change the digest", async (t) => {
  const digests = new Set<string>();
  const states: [seq: number, user: string][][] = [
    [],
    [[1, "ann"]],
    [[1, "ben"]],
    [[2, "ann"]],
    [
      [1, "ann"],
      [2, "ben"],
    ],
    [[1, "ann1"]],
    [[11, "ann"]],
  ];
  for (const state of states) {
    const { url } = await startHere(t);
    for (const [seq, user] of state) await register(url, seq, user);
    digests.add((await digest(url)).digest);
  }
  assert.equal(digests.size, states.length);
});

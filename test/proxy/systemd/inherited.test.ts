import assert from "node:assert/strict";
import { test } from "node:test";
import { inheritedSockets } from "../../../proxy/systemd/inherited.ts";

const NOTHING = { traffic: null, admin: null };

test("sockets are told apart by their names, in whatever order they come", () => {
  const two = { LISTEN_PID: "7", LISTEN_FDS: "2" };
  assert.deepEqual(inheritedSockets({ ...two, LISTEN_FDNAMES: "traffic:admin" }, 7), {
    traffic: 3,
    admin: 4,
  });
  assert.deepEqual(inheritedSockets({ ...two, LISTEN_FDNAMES: "admin:traffic" }, 7), {
    traffic: 4,
    admin: 3,
  });
});

test("one of them is enough: the other one is listened on", () => {
  const one = { LISTEN_PID: "7", LISTEN_FDS: "1", LISTEN_FDNAMES: "traffic" };
  assert.deepEqual(inheritedSockets(one, 7), { traffic: 3, admin: null });
});

test("without systemd, or with sockets that are for another process, nothing is inherited", () => {
  assert.deepEqual(inheritedSockets({}, 7), NOTHING);
  const others = { LISTEN_PID: "8", LISTEN_FDS: "1", LISTEN_FDNAMES: "traffic" };
  assert.deepEqual(inheritedSockets(others, 7), NOTHING);
});

for (const [names, count] of [
  ["unknown", 1],
  ["", 1],
  ["traffic:traffic", 2],
  ["traffic:admin:web", 3],
] as const) {
  test(`sockets named "${names}" are refused: nobody would serve them`, () => {
    const environment = { LISTEN_PID: "7", LISTEN_FDS: String(count), LISTEN_FDNAMES: names };
    assert.throws(
      () => inheritedSockets(environment, 7),
      /expected one socket named traffic, one named admin/,
    );
  });
}

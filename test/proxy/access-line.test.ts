import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { pino } from "pino";
import { accessLine } from "../../proxy/access-line.ts";

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.constantFrom('"', "\\", "\u007f", "\ud800", "\u2028"),
);
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const facts = fc.record({
  id: some(text),
  client: text,
  method: text,
  path: text,
  route: fc.option(text),
  status: fc.nat(599),
  ms: fc.nat(10_000_000).map((micros) => micros / 1000),
  node: some(text),
  seq: some(fc.nat()),
  code: some(text),
  trace: some(text),
  sample: some(fc.double({ min: 0.001, max: 0.999, noNaN: true })),
});

test("an access line is what pino would write, whatever is in it (property)", () => {
  let byPino = "";
  const logger = pino(
    { base: { pid: 7 }, serializers: {}, timestamp: () => ',"time":1700000000000' },
    {
      write: (line: string) => {
        byPino = line;
      },
    },
  );
  fc.assert(
    fc.property(facts, (given) => {
      logger.info(given, "request");
      const line = accessLine(given, 1_700_000_000_000, 7);
      assert.ok(line.endsWith("}\n") && !line.slice(0, -1).includes("\n"), "one line");
      assert.deepEqual(JSON.parse(line), JSON.parse(byPino));
    }),
  );
});

test("an access line keeps its field order, for those that read it by eye", () => {
  const given = { client: "::1", method: "GET", path: "/login", route: "one-2", status: 200, ms: 1.25 };
  const nothing = {
    id: undefined,
    node: undefined,
    seq: undefined,
    code: undefined,
    trace: undefined,
    sample: undefined,
  };
  assert.equal(
    accessLine({ ...nothing, ...given, node: "app1" }, 5, 7),
    '{"level":30,"time":5,"pid":7,"client":"::1","method":"GET","path":"/login","route":"one-2","status":200,"ms":1.25,"node":"app1","msg":"request"}\n',
  );
});

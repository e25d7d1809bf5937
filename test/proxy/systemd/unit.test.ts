import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "../../..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");

test("the unit gives the flags and the environment that the process would replace itself for, and lose its sockets", () => {
  const main = read("proxy/main.ts");
  const unit = read("ansible/roles/lb_proxy/templates/lb-proxy.service.j2");
  const flags = [...(/const HEAP = \[(.*?)\]/s.exec(main)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(
    ([, flag]) => flag,
  );
  assert.equal(flags.length, 2);
  const command = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? "";
  for (const flag of flags) assert.ok(command.includes(` ${flag} `), `${flag}: not in ${command}`);
  const [, arenas] = /MALLOC_ARENA_MAX: "(\d+)"/.exec(main) ?? [];
  assert.match(unit, new RegExp(`^Environment=MALLOC_ARENA_MAX=${arenas}$`, "m"));
});

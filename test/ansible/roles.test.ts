import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { ANSIBLE } from "../lab/venv.ts";

const ROLES = globSync("*", { cwd: join(ANSIBLE, "roles") }).toSorted();

interface Specs {
  readonly argument_specs: {
    readonly main: { readonly options: Readonly<Record<string, { default?: unknown }>> };
  };
}

function read(role: string, file: string): string {
  return readFileSync(join(ANSIBLE, "roles", role, file), "utf8");
}

/** None where whoever includes the role has to say everything. */
function defaultsOf(role: string): Readonly<Record<string, unknown>> {
  if (!existsSync(join(ANSIBLE, "roles", role, "defaults"))) return {};
  return parse(read(role, "defaults/main.yml")) as Readonly<Record<string, unknown>>;
}

for (const role of ROLES) {
  const { options } = (parse(read(role, "meta/argument_specs.yml")) as Specs).argument_specs.main;
  const defaults = defaultsOf(role);

  test(`${role}: every variable with a default is described, and begins with the role's name`, () => {
    const own = (name: string) => name.startsWith(`${role}_`);
    assert.deepEqual(
      Object.keys(defaults).filter((name) => options[name] === undefined || !own(name)),
      [],
    );
    assert.deepEqual(
      Object.keys(options).filter((name) => !own(name)),
      [],
    );
  });

  test(`${role}: a default that is described is the one that is set`, () => {
    const described = Object.entries(options).filter(([, option]) => option.default !== undefined);
    for (const [name, option] of described) assert.deepEqual(defaults[name], option.default, name);
  });
}

test("balancer and app are shut in alike", () => {
  assert.equal(read("lb_app", "templates/sandbox.j2"), read("lb_proxy", "templates/sandbox.j2"));
});

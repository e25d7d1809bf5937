/** What Ansible itself reads in the inventory that lbctl writes. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse, stringify } from "yaml";
import { inventoryText } from "../../cli/hosts/inventory.ts";
import { ANSIBLE, ansibleVenv } from "../lab/venv.ts";
import { tempFolder } from "../support/temp-folder.ts";

test("braces in a user's command, settings and paths arrive as they are, and nothing in them is carried out", (t) => {
  const folder = tempFolder(t);
  const values = {
    lb_app_command:
      'node server.mjs --greeting \'{{ lookup("pipe", "echo gone") }}\' {% if %} {# not a comment #}',
    lb_proxy_config: { routes: [{ path: "/{{ ansible_user }}", to: ["one"] }], "a {{ key }}": 1 },
    lb_proxy_tls_cert: `${folder}/{{ cert }}.pem`,
    plain: "no braces: yes",
  };
  const host = { ansible_connection: "local", ansible_python_interpreter: "/usr/bin/python3" };
  const inventory = join(folder, "inventory.yml");
  writeFileSync(inventory, inventoryText({ all: { vars: values, hosts: { here: host } } }));
  const arrived = join(folder, "arrived.yml");
  const names = Object.keys(values);
  const content = `{{ {${names.map((name) => `'${name}': ${name}`).join(", ")}} | to_nice_yaml }}`;
  const copy = { name: "Write it down", "ansible.builtin.copy": { content, dest: arrived, mode: "0600" } };
  writeFileSync(join(folder, "play.yml"), stringify([{ hosts: "all", gather_facts: false, tasks: [copy] }]));
  const program = join(ansibleVenv(), "bin/ansible-playbook");
  execFileSync(program, ["-i", inventory, join(folder, "play.yml")], { cwd: ANSIBLE, encoding: "utf8" });
  assert.deepEqual(parse(readFileSync(arrived, "utf8")), values);
});

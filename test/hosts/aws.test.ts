/**
 * Both halves of target aws: Terraform's outputs → inventory → playbooks, on real hosts of the lab. Stand-ins are
 * Terraform with the AWS provider and the AWS CLI, whose tunnel of Session Manager every byte of SSH goes through.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { run } from "../cli/lbctl.ts";
import { LabHost } from "../lab/host.ts";
import { readLab } from "../lab/lab.ts";
import { PLACE } from "../lab/place.ts";
import { ansibleVenv } from "../lab/venv.ts";
import { tempFolder } from "../support/temp-folder.ts";

const NO_LAB = existsSync(PLACE.json) ? false : "no lab is up: npm run lab:up -- --hosts 4";
const STAND_INS = ["stand-in", "stand-in-plugin"].map((name) =>
  join(import.meta.dirname, "../cli/aws", name),
);
/** Ansible on a busy machine takes its time. */
const PATIENCE = 900_000;
const LBCTL = join(import.meta.dirname, "../../cli/bin.ts");

/** What AWS does to the machines at the end, and what the tests behind this one count on. */
async function anew(hosts: number): Promise<void> {
  const all = Array.from({ length: hosts }, (_, index) => new LabHost(index + 1));
  await Promise.all(
    all.map(async (host) => {
      await host.remove();
      await host.start();
    }),
  );
}

test("target aws on hosts of the lab", { skip: NO_LAB, timeout: 3_600_000 }, async (t) => {
  const lab = readLab();
  t.after(() => anew(lab.hosts.length));
  const dir = tempFolder(t);
  const state = join(dir, ".lbctl/shop");
  mkdirSync(join(state, "ssh"), { recursive: true, mode: 0o700 });
  // Instead of the key that lbctl makes and AWS puts on the machines.
  for (const end of ["", ".pub"]) copyFileSync(`${lab.key}${end}`, join(state, "ssh", `id_ed25519${end}`));
  writeFileSync(
    join(dir, "lbctl.yaml"),
    "name: shop\ntarget: aws\nnodes: 2\naws: { monitoring: { prometheus: none, grafana: none } }\n",
  );

  await t.test("deploy: from Terraform's outputs to a cluster that serves", async () => {
    await lbctl("deploy", "--yes");
    assert.equal(await curl("-d", "username=ada", "-d", "password=first", "/register"), "201");
    assert.equal(await curl("-u", "ada:first", "/login"), "200");
    const status = await statusOf();
    assert.deepEqual(status.nodes, ["app1 in-sync", "app2 in-sync"]);
  });

  await t.test("scale up: the new machine joins with every write", async () => {
    await lbctl("scale", "--nodes", "3", "--yes");
    assert.deepEqual((await statusOf()).nodes, ["app1 in-sync", "app2 in-sync", "app3 in-sync"]);
    for (let turn = 0; turn < 3; turn++) assert.equal(await curl("-u", "ada:first", "/login"), "200");
  });

  await t.test(
    "a machine that AWS lost: another in its place starts without history, and gets all of it",
    async () => {
      const terraform = join(state, "terraform/terraform.tfstate");
      const { "aws_instance.app2": _, ...rest } = JSON.parse(readFileSync(terraform, "utf8"));
      writeFileSync(terraform, JSON.stringify(rest));
      const lost = new LabHost(3);
      await lost.remove();
      await lost.start();
      await lbctl("deploy", "--yes");
      assert.deepEqual((await statusOf()).nodes, ["app1 in-sync", "app2 in-sync", "app3 in-sync"]);
      assert.match(readFileSync(join(state, "ansible/inventory.yml"), "utf8"), /ansible_host: i-app2-2/);
      assert.match(await lbctl("verify"), /every node holds the same/);
    },
  );

  await t.test("scale down: drained first, then the machines go", async () => {
    await lbctl("scale", "--nodes", "1", "--yes");
    assert.deepEqual((await statusOf()).nodes, ["app1 in-sync"]);
    assert.equal(await curl("-u", "ada:first", "/login"), "200");
    const terraform = JSON.parse(readFileSync(join(state, "terraform/terraform.tfstate"), "utf8"));
    assert.deepEqual(
      Object.keys(terraform).filter((address) => address.startsWith("aws_instance.")),
      ["aws_instance.balancer", "aws_instance.app1"],
    );
  });

  await t.test("destroy leaves nothing", async () => {
    assert.match(await lbctl("destroy", "--yes"), /is gone/);
    assert.deepEqual(JSON.parse(readFileSync(join(dir, "left.json"), "utf8")), []);
  });

  async function statusOf(): Promise<{ nodes: string[] }> {
    const { balancer } = JSON.parse(await lbctl("status", "--json")) as {
      balancer: { nodes: { name: string; state: string }[] };
    };
    return { nodes: balancer.nodes.map(({ name, state }) => `${name} ${state}`) };
  }

  async function lbctl(...args: string[]): Promise<string> {
    const [balancer, ...apps] = lab.hosts.map(({ address }) => address);
    const addresses = {
      balancer,
      ...Object.fromEntries(apps.map((address, index) => [`app${index + 1}`, address])),
    };
    const env = {
      ...process.env,
      // Made before, where there is a way out: lbctl takes an Ansible that is new enough from PATH.
      PATH: [...STAND_INS, join(ansibleVenv(), "bin"), process.env.PATH].join(delimiter),
      XDG_DATA_HOME: join(dir, "data"),
      STAND_IN_LEFT: join(dir, "left.json"),
      STAND_IN_ADDRESSES: JSON.stringify(addresses),
    };
    const ran = await run(process.execPath, [LBCTL, ...args], { cwd: dir, env, timeout: PATIENCE });
    if (ran.code !== 0) throw new Error(`lbctl ${args.join(" ")}: ${ran.code}\n${ran.stdout}${ran.stderr}`);
    return ran.stdout;
  }

  /** @returns the status code */
  async function curl(...args: string[]): Promise<string> {
    const [path = "", ...rest] = args.toReversed();
    const url = `http://${lab.hosts[0]?.address}${path}`;
    const { stdout } = await promisify(execFile)("curl", [
      ...["-s", "-o", "/dev/null", "-w", "%{http_code}"],
      ...rest.toReversed(),
      url,
    ]);
    return stdout;
  }
});

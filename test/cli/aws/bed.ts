/** Target aws with a stand-in for Terraform, and one for what installs. */
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { machinesOf } from "../../../cli/aws/known-machines.ts";
import { awsTarget } from "../../../cli/aws/target.ts";
import type { ClusterConfig } from "../../../cli/cluster-config.ts";
import { loadClusterConfig } from "../../../cli/config-file.ts";
import { UserError } from "../../../cli/errors.ts";
import { nodesFor } from "../../../cli/hosts/goal.ts";
import { clusterOf } from "../../../cli/hosts/record.ts";
import { hostsTarget } from "../../../cli/hosts/target.ts";
import { makeStateDir, statePaths, writeJson } from "../../../cli/state.ts";
import type { ChangeContext, Reached, Target } from "../../../cli/target.ts";
import { makeUi } from "../../../cli/ui.ts";
import { tempFolder } from "../../support/temp-folder.ts";
import { awsRecord } from "./record.ts";

export const stateOf = ({ dir, name }: ClusterConfig) => statePaths(dir, name);

export const S3 = "aws: { state: { backend: s3, bucket: shop-state } }\n";

/** By address: `aws_instance.app1`. */
export type StandInState = Record<string, { values: Record<string, unknown>; id: string; tainted?: boolean }>;

/** A cluster's folder, PATH with the stand-ins first, and a record of what was asked of the installer. */
export async function bedOf(t: TestContext, yaml = "") {
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  const dir = tempFolder(t);
  const left = join(dir, "left.json");
  const standIns = ["stand-in", "stand-in-plugin"].map((name) => join(import.meta.dirname, name));
  process.env.PATH = [...standIns, process.env.PATH].join(delimiter);
  process.env.STAND_IN_LEFT = left;
  process.env.STAND_IN_S3 = dir;
  const file = join(dir, "lbctl.yaml");
  await writeFile(file, `name: shop\ntarget: aws\n${yaml}`);
  const base = await loadClusterConfig(file);
  const state = stateOf(base);
  await makeStateDir(state);
  const installed: string[] = [];
  const waitedFor: string[] = [];
  const context: ChangeContext = {
    ui: makeUi({ silent: true }),
    verbose: false,
    yes: true,
    signal: new AbortController().signal,
  };
  const config = (nodes: number): ClusterConfig => ({ ...base, nodes });
  const late = new Set<string>();
  const target = awsTarget(await installer(t, installed), async ({ machines }) => {
    waitedFor.push(...machines.map(({ name }) => name));
    if (machines.some(({ name }) => late.has(name)))
      throw new UserError("late", { code: "first_start_failed" });
  });
  return {
    target,
    config,
    installed,
    waitedFor,
    /** Names of machines that do not get through their first start. */
    late,
    yes: context,
    env: (values: Record<string, string>) => Object.assign(process.env, values),
    /** What is at AWS after the last apply. */
    left: async () => JSON.parse(await readFile(left, "utf8")) as string[],
    /** What Terraform keeps in a file here is otherwise from now on. */
    changeState: async (change: (state: StandInState) => void) => {
      const file = join(state.dir, "terraform/terraform.tfstate");
      const kept = JSON.parse(await readFile(file, "utf8")) as StandInState;
      change(kept);
      await writeFile(file, JSON.stringify(kept));
    },
    /** As after an apply that stopped half-way: Terraform names machines at its end. */
    withoutOutputs: () => rm(join(state.dir, "terraform/terraform.tfstate.outputs")),
    /** As the hosts' half records it at its end. */
    installs: async (nodes: number) => {
      const { apps } = await machinesOf(config(nodes));
      await writeJson(state.record, awsRecord(nodesFor(config(nodes), { nodes: [] }, apps)));
    },
    /** With the state in S3: from another checkout, so that nothing here has changed. */
    destroyedElsewhere: async () => {
      for (const name of ["shop-state.tfstate", "shop-state.tfstate.outputs"]) await rm(join(dir, name));
    },
    anotherCheckout: async () => {
      await rm(state.dir, { recursive: true });
      await makeStateDir(state);
    },
  };
}

/** Writes down what it is asked, with the machines that it would see; so does its balancer. */
async function installer(t: TestContext, said: string[]): Promise<Target> {
  const note = async (what: string, config: ClusterConfig) => {
    const { apps } = await machinesOf(config);
    said.push([what, ...apps.map(({ address }) => address)].join(" "));
    return [];
  };
  return {
    ...hostsTarget(machinesOf),
    plan: (config) => note("plan", config),
    deploy: (config) => note("deploy", config),
    scale: (config) => note(`scale to ${config.nodes}`, config),
    rollback: (config) => note("rollback", config),
    checkScale: async (_, nodes) => void said.push(`checkScale ${nodes}`),
    reach: (config) => balancerOf(t, config, said),
  };
}

async function balancerOf(t: TestContext, config: ClusterConfig, said: string[]): Promise<Reached> {
  const { apps } = await machinesOf(config);
  const server = createServer(({ method, url = "" }, response) => {
    const address = apps.find(({ name }) => url.includes(`/${name}/`))?.address;
    said.push(`${method} ${url} ${address}`);
    response.setHeader("content-type", "application/json").end("{}");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const cluster = clusterOf(config, { ...awsRecord([]), adminPort: port }, "127.0.0.1");
  await writeFile(cluster.adminPasswordFile, "secret\n");
  return { cluster, [Symbol.asyncDispose]: async () => undefined };
}

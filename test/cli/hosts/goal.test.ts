/** Which hosts get what: pure parts of target hosts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterConfig } from "../../../cli/cluster-config.ts";
import { recordOf, releaseBefore } from "../../../cli/hosts/converge.ts";
import {
  forgottenNodes,
  leftBehind,
  machinesOnRecord,
  nodeGoal,
  nodesFor,
  nodeUrl,
  refuseOnlyNewUrls,
  releaseToGoBackTo,
  withOldData,
} from "../../../cli/hosts/goal.ts";
import { renderInventory, settingsDigest } from "../../../cli/hosts/inventory.ts";
import { type Machine, machinesFor } from "../../../cli/hosts/machines.ts";
import type { HostsRecord } from "../../../cli/hosts/record.ts";
import { type Release, refuseMissing } from "../../../cli/hosts/releases.ts";
import type { Status } from "../../../proxy/api.ts";
import { clusterConfig, entry, hostsConfig, hostsWork, recordWith } from "./site.ts";

const RELEASE: Release = {
  names: { proxy: "1.0.0-aaaa", app: "1.0.0-bbbb" },
  proxyBundle: "/r/proxy.mjs",
  appBundle: "/r/app.mjs",
  ownApp: null,
};

interface Inventory {
  all: {
    vars: Record<string, unknown>;
    children: Record<string, { hosts: Record<string, Record<string, unknown>> }>;
  };
}

function inventory(config = clusterConfig()): Inventory {
  const work = hostsWork(config);
  const apps = machinesFor(work.machines, config.nodes ?? 1);
  const nodes = nodesFor(config, { nodes: [] }, apps);
  const facts = [work.machines.balancer, ...apps].map((machine) => ({
    machine,
    architecture: "x86_64",
    becomes: machine.name !== "app2",
    hasAppData: false,
    releases: [],
    owner: null,
    hasJournal: false,
    adminPassword: null,
    deployed: null,
  }));
  const nodeBinaries = { x86_64: { path: "/node", sha256: "ab" } };
  return renderInventory({
    ...work,
    facts,
    nodeBinaries,
    release: RELEASE,
    owner: "shop 3f2a",
    nodes,
    appMachines: apps,
  }) as unknown as Inventory;
}

test("the first N listed hosts run app1 to appN, each in its groups", () => {
  const { children } = inventory().all;
  assert.deepEqual(Object.keys(children.apps?.hosts ?? {}), ["app1", "app2"]);
  assert.deepEqual(Object.keys(children.balancer?.hosts ?? {}), ["balancer"]);
  assert.deepEqual(Object.keys(children.monitoring?.hosts ?? {}), ["balancer"], "the balancer's own");
});

test("a host's variables: how ssh gets there, whether sudo is needed, where the others reach it", () => {
  const { app1, app2 } = inventory().all.children.apps?.hosts ?? {};
  assert.equal(app1?.ansible_host, "10.0.0.11");
  assert.equal(app1?.ansible_user, "admin");
  assert.equal(app1?.ansible_ssh_private_key_file, "/work space/keys/id");
  assert.match(String(app1?.ansible_ssh_common_args), /StrictHostKeyChecking=yes/);
  assert.equal(app1?.ansible_become, true);
  assert.equal(app2?.ansible_become, false, "it is root already");
  assert.equal(app1?.lb_address, "10.0.0.11");
});

test("the balancer's config has the nodes and the user's settings, and leaves the rest to the role", () => {
  const config = clusterConfig({ proxy: { drainTimeout: "7s", health: { interval: "2s" }, ack: "quorum" } });
  const { vars } = inventory(config).all;
  const proxy = vars.lb_proxy_config as Record<string, unknown>;
  assert.deepEqual(Object.keys(proxy).sort(), ["app", "cluster", "health", "nodes", "routes"]);
  assert.deepEqual(proxy.health, { path: "/healthz", interval: "2s" });
  assert.deepEqual(proxy.nodes, [
    { name: "app1", url: "http://10.0.0.11:4567", empty: true },
    { name: "app2", url: "http://10.0.0.12:4567", empty: true },
  ]);
  assert.equal(vars.lb_proxy_drain_timeout, 7);
  assert.equal(vars.lb_proxy_port, 80);
});

test("an app that lbctl does not install may hold anything, and offers nothing", () => {
  const { vars } = inventory(clusterConfig({ app: { kind: "none" } })).all;
  const proxy = vars.lb_proxy_config as { nodes: { empty: boolean }[] };
  assert.deepEqual(
    proxy.nodes.map(({ empty }) => empty),
    [false, false],
  );
  assert.ok(!("app" in proxy));
});

test("secrets are in the inventory by the name of their file only", () => {
  const text = JSON.stringify(inventory());
  assert.match(text, /"lb_proxy_admin_password_file":"\/work space\/\.lbctl\/shop\/admin\.password"/);
  assert.doesNotMatch(text, /password":/i);
});

test("another number of nodes is no other setting; another port is", () => {
  const now = settingsDigest(hostsWork());
  assert.equal(settingsDigest(hostsWork(clusterConfig({ nodes: 3 }))), now);
  const ports = { ...clusterConfig().ports, traffic: 8080 };
  assert.notEqual(settingsDigest(hostsWork(clusterConfig({ ports }))), now);
  assert.notEqual(settingsDigest(hostsWork(clusterConfig({ proxy: { ack: "quorum" } }))), now);
});

test("settings are the same for an operator who has their files elsewhere", () => {
  const tls = (folder: string) => ({ cert: `${folder}/chain.pem`, key: `${folder}/key.pem` });
  const [here, there] = ["/work space", "/home/joan/shop"].map((dir) =>
    settingsDigest(hostsWork(clusterConfig({ dir, tls: tls(dir) }))),
  );
  assert.equal(here, there);
  assert.notEqual(here, settingsDigest(hostsWork()), "with a certificate, and without");
});

test("with a certificate the role gets its files, and clients https", () => {
  const tls = { cert: "/work space/chain.pem", key: "/work space/key.pem" };
  const ports = { ...clusterConfig().ports, traffic: 443 };
  const config = clusterConfig({ tls, ports });
  const { vars } = inventory(config).all;
  assert.deepEqual([vars.lb_proxy_tls_cert, vars.lb_proxy_tls_key], [tls.cert, tls.key]);
  assert.equal(vars.lb_proxy_port, 443);
  const { balancerUrl } = recordOf(hostsWork(config), null, null);
  assert.equal(balancerUrl, "https://10.0.0.10");
});

test("the firewall follows the ports of lbctl.yaml", () => {
  const ports = { ...clusterConfig().ports, traffic: 8080, admin: 2036, apps: 4600 };
  const { vars } = inventory(clusterConfig({ ports })).all;
  for (const [role, firewall, port] of [
    ["lb_proxy_port", "hardening_traffic_port", 8080],
    ["lb_proxy_admin_port", "hardening_admin_port", 2036],
    ["lb_app_port", "hardening_app_port", 4600],
  ] as const) {
    assert.deepEqual([vars[role], vars[firewall]], [port, port], firewall);
  }
});

test("more nodes than hosts listed: which are missing, and nothing is changed", () => {
  const { machines } = hostsWork();
  assert.throws(() => machinesFor(machines, 5), {
    code: "too_few_hosts",
    message: "expected 5 hosts for app servers, got 3: none for app4, app5",
  });
});

test("nodes enter, stay, leave, and are replaced where their name has another host", () => {
  const { machines } = hostsWork();
  const record = recordWith({ app1: "10.0.0.11", app2: "10.9.9.9", app4: "10.0.0.14" });
  const goal = nodeGoal(record, machines.apps);
  const names = (nodes: readonly { name: string }[]) => nodes.map(({ name }) => name);
  assert.deepEqual(names(goal.staying), ["app1"]);
  assert.deepEqual(names(goal.entering), ["app2", "app3"]);
  assert.deepEqual(names(goal.leaving), ["app4"]);
  assert.deepEqual(names(goal.replaced), ["app2"]);
});

test("an IPv6 address is bracketed in a node's URL", () => {
  const config = clusterConfig({ hosts: hostsConfig({ apps: [entry("fd00::11")] }), nodes: 1 });
  const [machine] = hostsWork(config).machines.apps;
  assert.ok(machine);
  assert.equal(nodeUrl(config, machine), "http://[fd00::11]:4567");
});

test("a balancer's host of another cluster is refused", () => {
  const theirs = { ...recordWith({}), name: "other" };
  assert.throws(() => recordOf(hostsWork(), theirs, null), { code: "other_cluster" });
});

test("a balancer's host that has forgotten a deployed cluster is refused: its journal is gone", () => {
  const local = recordWith({ app1: "10.0.0.11" }, { releases: { proxy: "a", app: "b" } });
  assert.throws(() => recordOf(hostsWork(), null, local), { code: "balancer_lost" });
});

test("the host's record wins over the state directory's", () => {
  const local = recordWith({ app1: "10.0.0.11" });
  const theirs = recordWith({ app1: "10.0.0.11", app2: "10.0.0.12" });
  assert.equal(recordOf(hostsWork(), theirs, local).nodes.length, 2);
});

test("another admin port is none to ask at before the balancer runs with it", () => {
  const config = clusterConfig({ ports: { ...clusterConfig().ports, admin: 2036 }, admin: { user: "ada" } });
  const theirs = recordWith({ app1: "10.0.0.11" });
  const { adminPort, adminUser } = recordOf(hostsWork(config), theirs, null);
  assert.deepEqual([adminPort, adminUser], [1936, "admin"]);
  assert.equal(recordOf(hostsWork(config), null, null).adminPort, 2036, "of the first deploy");
});

test("rollback: to what ran before, from a deploy that was cut to what ran, and on where it was cut itself", () => {
  const [older, newer, newest] = ["1", "2", "3"].map((proxy) => ({ proxy, app: null }));
  assert.ok(older && newer && newest);
  const deployed = recordWith({}, { releases: newer, before: older });
  assert.deepEqual(releaseBefore(deployed), older);
  assert.deepEqual(releaseBefore({ ...deployed, installing: newest }), newer);
  assert.deepEqual(releaseBefore({ ...deployed, installing: newer }), older, "a deploy of other settings");
  assert.deepEqual(releaseBefore({ ...deployed, installing: older, rollingBack: true }), older);
});

test("rollback: from a deploy that was cut never to a release that did not answer", () => {
  const [older, silent, newest] = ["1", "2", "3"].map((proxy) => ({ proxy, app: null }));
  assert.ok(older && silent && newest);
  const record = recordWith({}, { releases: silent, before: older, answered: false });
  assert.deepEqual(releaseBefore({ ...record, installing: newest }), older);
  assert.deepEqual(
    releaseBefore({ ...record, installing: older }),
    older,
    "that deploy, too, was of the last good one",
  );
  assert.deepEqual(releaseBefore(record), older);
  assert.equal(releaseBefore({ ...record, before: null, installing: newest }), null);
});

test("other urls for all nodes are refused, for one they are not; what the balancer says it knows counts", () => {
  const config = clusterConfig({ ports: { ...clusterConfig().ports, apps: 4600 } });
  const { apps } = hostsWork(config).machines;
  const releases = { proxy: "1", app: "1" };
  const nodes = { app1: "10.0.0.11", app2: "10.0.0.12", app3: "10.0.0.13" };
  const record = recordWith(nodes, { releases });
  const check = (status: Parameters<typeof refuseOnlyNewUrls>[3], of = record, wanted = config) =>
    refuseOnlyNewUrls(wanted, of, nodeGoal(of, apps).staying, status);
  assert.throws(() => check(null), {
    code: "node_urls_changed",
    message: "expected a node that keeps its url while the cluster holds data, got another for each",
  });
  check(null, recordWith(nodes), config);
  check(null, record, clusterConfig());
  const said = nodesFor(config, record, apps) as unknown as Pick<Status, "nodes">["nodes"];
  check({ nodes: said });
  assert.throws(() => check({ nodes: said }, record, clusterConfig()), { code: "node_urls_changed" });
  check(null, recordWith({ ...nodes, app3: "10.9.9.9" }, { releases }), clusterConfig());
});

test("a release that is not here is gone back to where each host that needs it has it, and nowhere else", () => {
  const { balancer, apps } = hostsWork().machines;
  const onHosts: Release = { ...RELEASE, proxyBundle: null, appBundle: null };
  const has = (machine: (typeof apps)[number], ...releases: string[]) => ({ machine, releases });
  const proxy = has(balancer, "proxy/1.0.0-aaaa");
  const [first, second] = apps;
  assert.ok(first && second);
  const check = (release: Release, ...others: ReturnType<typeof has>[]) =>
    refuseMissing({ kind: "reference" }, release, proxy, others);
  check(onHosts, has(first, "app/1.0.0-bbbb"), has(second, "app/0.9.0-0000", "app/1.0.0-bbbb"));
  check(RELEASE, has(first));
  assert.throws(() => check(onHosts, has(first, "app/1.0.0-bbbb"), has(second, "app/0.9.0-0000")), {
    code: "release_not_at_hand",
    problems: ["app2 has no app/1.0.0-bbbb"],
  });
  refuseMissing({ kind: "none" }, { ...onHosts, names: { proxy: "1.0.0-aaaa", app: null } }, proxy, [
    has(first),
  ]);
});

test("a release of another kind of app is refused before anything is changed", () => {
  const { balancer } = hostsWork().machines;
  const named = (app: string | null): Release => ({ ...RELEASE, names: { proxy: "1.0.0-aaaa", app } });
  const check = (kind: "reference" | "directory" | "none", app: string | null) =>
    refuseMissing({ kind } as ClusterConfig["app"], named(app), { machine: balancer, releases: [] }, []);
  check("directory", "app-3f2a9c41");
  check("reference", "1.0.0-bbbb");
  check("none", null);
  for (const [kind, app] of [
    ["directory", "1.0.0-bbbb"],
    ["reference", "app-3f2a9c41"],
    ["reference", null],
    ["none", "1.0.0-bbbb"],
  ] as const) {
    assert.throws(() => check(kind, app), { code: "app_of_another_kind" }, `${kind}, ${app}`);
  }
});

test("destroy is for the machines of the record, and for no other that is listed", () => {
  const work = hostsWork(clusterConfig({ nodes: 3 }));
  const names = (record: HostsRecord | null) =>
    machinesOnRecord(work.machines, record).map(({ name }) => name);
  assert.deepEqual(names(recordWith({ app1: "10.0.0.11" })), ["app1"]);
  assert.deepEqual(names(recordWith({ app1: "10.0.0.11" }, { entering: ["10.0.0.13"] })), ["app1", "app3"]);
  assert.deepEqual(names(recordWith({}, { leaving: ["10.0.0.12"] })), ["app2"]);
  assert.deepEqual(names(null), []);
});

test("what a command was stopped at, and nobody wants any more, is cleaned; nodes, and hosts of others, are not", () => {
  const { machines } = hostsWork(clusterConfig({ nodes: 3 }));
  const record = recordWith({ app1: "10.0.0.11" }, { entering: ["10.0.0.12"], leaving: ["10.0.0.11"] });
  const names = (apps: readonly Machine[], of = record) =>
    leftBehind(machines, of, apps).map(({ name }) => name);
  assert.deepEqual(names(machines.apps.slice(0, 1)), ["app2"]);
  assert.deepEqual(names(machines.apps.slice(0, 2)), [], "it is to be a node after all");
  assert.deepEqual(names([]), ["app2"], "a node leaves by the balancer");
  assert.deepEqual(names(machines.apps.slice(0, 1), recordWith({}, { leaving: ["10.0.0.13"] })), ["app3"]);
  assert.deepEqual(names([], recordWith({}, { entering: ["10.9.9.9"] })), [], "it is not listed any more");
});

test("a node that the balancer has forgotten is none, where a command was stopped before it wrote that down", () => {
  const record = recordWith({ app1: "10.0.0.11", app2: "10.0.0.12" }, { leaving: ["10.0.0.12"] });
  const names = (known: readonly string[] | null, of = record) =>
    forgottenNodes(of, known && statusOf(known)).map(({ name }) => name);
  assert.deepEqual(names(["app1"]), ["app2"]);
  assert.deepEqual(names(["app1", "app2"]), [], "it drains still");
  assert.deepEqual(names(null), [], "nobody can say");
  assert.deepEqual(names([]), [], "a balancer that knows of nobody is no reason to forget");
  assert.deepEqual(
    names(["app1"], recordWith({ app1: "10.0.0.11", app2: "10.0.0.12" })),
    [],
    "nobody removed it",
  );
});

test("a machine that a command was stopped at enters with nothing, unless the balancer goes on with it", () => {
  const { apps } = hostsWork(clusterConfig({ nodes: 3 })).machines;
  const record = recordWith({ app1: "10.0.0.11" }, { leaving: ["10.0.0.12"], entering: ["10.0.0.13"] });
  const facts = (hasAppData: boolean) => apps.map((machine) => ({ machine, hasAppData }));
  const names = (...given: Parameters<typeof withOldData>) => withOldData(...given).map(({ name }) => name);
  assert.deepEqual(names(record, facts(true), apps, statusOf(["app1"])), ["app2", "app3"]);
  assert.deepEqual(names(record, facts(true), apps, statusOf(["app1", "app2"])), ["app3"]);
  assert.deepEqual(names(record, facts(false), apps, statusOf(["app1"])), []);
  assert.deepEqual(names(record, facts(true), apps.slice(0, 1), statusOf(["app1"])), [], "it stays");
  assert.deepEqual(names(record, facts(true), apps, null), [], "nobody can say");
});

test("the release before is one that answered", () => {
  const [older, newer, newest] = ["1", "2", "3"].map((proxy) => ({ proxy, app: null }));
  assert.ok(older && newer && newest);
  const record = recordWith({}, { releases: newer, before: older });
  assert.deepEqual(releaseToGoBackTo(record, newest), newer, "as older records are");
  assert.deepEqual(releaseToGoBackTo({ ...record, answered: true }, newest), newer);
  assert.deepEqual(releaseToGoBackTo({ ...record, answered: false }, newest), older);
  assert.equal(releaseToGoBackTo({ ...record, answered: false }, older), null, "and not forth again");
  assert.deepEqual(releaseToGoBackTo({ ...record, answered: false }, newer), older, "another try");
});

function statusOf(names: readonly string[]): Pick<Status, "nodes"> {
  return { nodes: names.map((name) => ({ name }) as Status["nodes"][number]) };
}

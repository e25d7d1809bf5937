/** Ansible's inventory of a cluster, with every variable: pure. It names files with secrets, and holds none. */
import { createHash } from "node:crypto";
import { Document, visit } from "yaml";
import { checkConfig } from "../../proxy/config/config.ts";
import type { StatePaths } from "../state.ts";
import { proxySettings } from "../tools/proxy-config.ts";
import { sshOptionText } from "../tools/ssh.ts";
import { accessOf, type Machine } from "./machines.ts";
import type { RecordedNode } from "./record.ts";
import type { Site } from "./site.ts";

export interface InventoryInput
  extends Pick<Site, "config" | "state" | "machines" | "release" | "owner" | "facts" | "nodeBinaries"> {
  /** What the balancer is to know. */
  readonly nodes: readonly RecordedNode[];
  /** Machines to run app servers on, those that leave included. */
  readonly appMachines: readonly Machine[];
}

export function renderInventory(input: InventoryInput): Record<string, unknown> {
  const { machines, appMachines } = input;
  const group = (members: readonly Machine[]) => ({
    hosts: Object.fromEntries(members.map((machine) => [machine.name, hostVariables(input, machine)])),
  });
  return {
    all: {
      vars: variablesOf(input),
      children: {
        balancer: group([machines.balancer]),
        apps: group(appMachines),
        monitoring: group([machines.monitoring]),
      },
    },
  };
}

/** As YAML in which Ansible takes every value for what it says: braces in a command or a path are no template. */
export function inventoryText(inventory: Record<string, unknown>): string {
  const document = new Document(inventory);
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === "string" && /\{[{%#]/.test(node.value)) node.tag = "!unsafe";
    },
  });
  return document.toString({ lineWidth: 0 });
}

function hostVariables(
  { machines, facts, state }: InventoryInput,
  machine: Machine,
): Record<string, unknown> {
  const access = accessOf(machine, machines.acceptNewHostKeys, state);
  return {
    ansible_host: machine.address,
    ...(machine.user === null ? {} : { ansible_user: machine.user }),
    ...(machine.port === null ? {} : { ansible_port: machine.port }),
    ...(machine.key === null ? {} : { ansible_ssh_private_key_file: machine.key }),
    ansible_ssh_common_args: sshOptionText(access),
    ansible_become:
      facts.find((fact) => fact.machine.name === machine.name)?.becomes ?? machine.user !== "root",
    lb_address: machine.inside,
  };
}

function variablesOf(input: InventoryInput): Record<string, unknown> {
  const { release, owner, nodes, nodeBinaries } = input;
  const { names, proxyBundle, appBundle, ownApp } = release;
  const settings = settingsOf(input);
  return {
    ...settings,
    ...filesOf(input),
    lb_proxy_config: {
      ...proxyConfigOf(input),
      nodes: nodes.map(({ name, url, empty }) => ({ name, url, empty })),
    },
    hardening_owner: owner ?? "",
    node_runtime_binaries: nodeBinaries,
    lb_proxy_version: names.proxy,
    ...(proxyBundle === null ? {} : { lb_proxy_bundle: proxyBundle }),
    ...(names.app === null ? {} : { lb_app_version: names.app }),
    ...(appBundle === null ? {} : { lb_app_bundle: appBundle }),
    ...(ownApp === null ? {} : { lb_app_archive: ownApp.archive, lb_app_command: ownApp.command }),
  };
}

function settingsOf({
  config,
  machines,
  state,
}: Pick<InventoryInput, "config" | "machines" | "state">): Record<string, unknown> {
  const { app, ports, admin } = config;
  return {
    lb_proxy_port: ports.traffic,
    lb_proxy_admin_port: ports.admin,
    lb_proxy_admin_user: admin.user,
    lb_proxy_drain_timeout: Math.ceil(checked(config, state).drainTimeout / 1000),
    lb_app_kind: app.kind,
    lb_app_port: ports.apps,
    // The firewall has to close the ports that there are, not the ones by default.
    hardening_traffic_port: ports.traffic,
    hardening_admin_port: ports.admin,
    hardening_app_port: ports.apps,
    hardening_admin_addresses: machines.adminAddresses,
    prometheus_source: machines.prometheus,
    grafana_source: machines.grafana,
  };
}

/** Where they are on this machine: another operator has them elsewhere. */
function filesOf({ config, machines, state }: InventoryInput): Record<string, unknown> {
  const { tls } = config;
  const { artifacts } = machines;
  return {
    lb_proxy_admin_password_file: state.adminPassword,
    ...(tls === null ? {} : { lb_proxy_tls_cert: tls.cert, lb_proxy_tls_key: tls.key }),
    ...(artifacts === null ? {} : { prometheus_artifacts_dir: artifacts, grafana_artifacts_dir: artifacts }),
  };
}

/** Of all that a user set but the number of nodes: another one means that more than that would change. */
export function settingsDigest(input: Pick<InventoryInput, "config" | "machines" | "state">): string {
  return digest([settingsOf(input), input.config.tls !== null, proxyConfigOf(input)]);
}

/** What the role leaves to the user. */
function proxyConfigOf({ config }: Pick<InventoryInput, "config">): Record<string, unknown> {
  const { drainTimeout: _, ...settings } = proxySettings(config);
  return { cluster: config.name, ...settings };
}

/** With lb-proxy's own defaults. */
export function checked(config: InventoryInput["config"], state: StatePaths) {
  const nodes = [{ name: "app1", url: "http://127.0.0.1:1" }];
  const { writes, ...rest } = proxySettings(config) as Record<string, unknown>;
  const given = {
    ...rest,
    ...(writes === undefined ? {} : { writes: { ...(writes as object), minInSync: 1 } }),
    nodes,
  };
  return checkConfig(given, state.dir);
}

function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}

/** The schema of the sections `hosts:` and `app:` of lbctl.yaml. */
import { z } from "zod";
import { addressOrBlock } from "./address-block.ts";
import { MAX_NODES } from "./cluster-config.ts";
import type { AppConfig, HostsConfig } from "./hosts-config.ts";

const address = matching(
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9._:-]*[A-Za-z0-9])?$/,
  "an address like 10.0.0.11 or app1.example.org",
);
const user = matching(/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/, "a user name")
  .nullable()
  .default(null);
const file = matching(/^[^\0\n]+$/, "a file name")
  .nullable()
  .default(null);
const port = z
  .int({ error: "a port from 1 to 65535" })
  .min(1, { error: "a port from 1 to 65535" })
  .max(65_535, { error: "a port from 1 to 65535" })
  .nullable()
  .default(null);
const login = { user, port, key: file };

const host = z.preprocess(
  (given) => (typeof given === "string" ? { address: given } : given),
  z.strictObject(
    { address, inside: address.nullable().default(null), ...login },
    { error: "an address, or a mapping like { address: 10.0.0.11, user: admin, port: 22, key: ~/.ssh/key }" },
  ),
);

const ssh = z.strictObject(
  {
    ...login,
    hostKeys: oneOf("known", "accept-new").default("known"),
    jump: matching(/^[A-Za-z0-9_][\w.@:-]*$/, "a host to jump by, like admin@bastion.example.org")
      .nullable()
      .default(null),
  },
  { error: "a mapping like { user: admin, key: ~/.ssh/id_ed25519 }" },
);

const monitoring = z.strictObject(
  {
    host: host.nullable().default(null),
    prometheus: oneOf("distribution", "artifacts", "none").default("distribution"),
    grafana: oneOf("vendor", "artifacts", "none").default("vendor"),
    artifacts: file,
  },
  { error: "a mapping like { host: 10.0.0.20, grafana: none }" },
);

export const hostsSection = z.strictObject(
  {
    balancer: host,
    apps: z
      .array(host, { error: `a list of 1 to ${MAX_NODES} hosts` })
      .min(1, { error: `a list of 1 to ${MAX_NODES} hosts` })
      .max(MAX_NODES, { error: `a list of 1 to ${MAX_NODES} hosts` }),
    ssh: ssh.prefault({}),
    adminAddresses: z.array(addressOrBlock, { error: "a list of addresses and blocks" }).default([]),
    monitoring: monitoring.prefault({}),
  },
  { error: "a mapping like { balancer: 10.0.0.10, apps: [10.0.0.11, 10.0.0.12] }" },
);

export const appSection = z.preprocess(
  (given) => (given === "reference" || given === "none" ? { kind: given } : given),
  z.union(
    [
      z.strictObject({ kind: z.literal("reference") }),
      z.strictObject({ kind: z.literal("none") }),
      z
        .strictObject({ directory: z.string().min(1), command: z.string().trim().min(1) })
        .transform((app) => ({ kind: "directory" as const, ...app })),
    ],
    { error: "reference, none, or a mapping like { directory: ./myapp, command: node server.js }" },
  ),
);

const HOST_KEYS = ["address", "inside", "user", "port", "key"];

/** For messages about unknown keys. */
export const HOSTS_KEYS = {
  hosts: Object.keys(hostsSection.shape),
  "hosts/balancer": HOST_KEYS,
  "hosts/ssh": ["user", "port", "key", "hostKeys", "jump"],
  "hosts/monitoring": ["host", "prometheus", "grafana", "artifacts"],
  "hosts/monitoring/host": HOST_KEYS,
  ...Object.fromEntries(Array.from({ length: MAX_NODES }, (_, index) => [`hosts/apps/${index}`, HOST_KEYS])),
};

/** What must hold between the settings. */
export function hostsProblems(hosts: HostsConfig, nodes: number | null): string[] {
  const machines = [
    { path: "hosts/balancer", ...hosts.balancer },
    ...hosts.apps.map((app, index) => ({ path: `hosts/apps/${index}`, ...app })),
  ];
  const problems = machines.flatMap(({ path, address }, index) => {
    const first = machines.findIndex((other) => other.address.toLowerCase() === address.toLowerCase());
    if (first === index) return [];
    return [`${path}: expected a host of its own, got that of ${machines[first]?.path} (${address})`];
  });
  const { prometheus, grafana, artifacts } = hosts.monitoring;
  if (artifacts === null && [prometheus, grafana].includes("artifacts")) {
    problems.push("hosts/monitoring/artifacts: expected a folder with packages, got nothing");
  }
  return [...problems, ...poolProblems(hosts, nodes)];
}

/** It becomes one line of shell on the hosts; quotes, dollars and braces in it are the app's own. */
export function appProblems(app: AppConfig): string[] {
  const lines = app.kind === "directory" ? app.command.split(/\r\n|\r|\n/).length : 1;
  if (lines === 1) return [];
  return [`app/command: expected one line, got ${lines}: put them into a script in the app's directory`];
}

function poolProblems({ apps }: HostsConfig, nodes: number | null): string[] {
  if (nodes === null || nodes <= apps.length) return [];
  return [
    `nodes: expected at most the ${apps.length} listed in hosts/apps, got ${nodes}: list ${nodes - apps.length} more there`,
  ];
}

function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, { error: values.join(", ") });
}

function matching(form: RegExp, error: string) {
  return z.string({ error }).regex(form, { error });
}

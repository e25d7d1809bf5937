/** lb-proxy's config for a cluster of lbctl's: pure, so that two renderings can be compared. */
import type { ClusterConfig, ProxyOverrides } from "../cluster-config.ts";
import type { StatePaths } from "../state.ts";

export interface ProxyNode {
  readonly name: string;
  readonly url: string;
  /** Always: lbctl makes its nodes, and wipes one that it makes again. */
  readonly empty: true;
}

/** As it is written to proxy.json; lb-proxy's own schema says what else may be in it. */
export interface ProxyConfigFile extends Readonly<Record<string, unknown>> {
  readonly cluster: string;
  readonly listen: string;
  readonly admin: { readonly listen: string; readonly user: string; readonly passwordFile: string };
  readonly nodes: readonly ProxyNode[];
}

/** Said elsewhere in lbctl.yaml, or decided by the target. */
const SET_BY_LBCTL: Readonly<Record<string, string>> = {
  cluster: "name",
  listen: "ports/traffic",
  admin: "ports/admin and admin/user",
  dataDir: "nothing: it is in the state directory",
  nodes: "nodes",
};

/** What the reference app offers. */
const APP_DEFAULTS = {
  health: { path: "/healthz" },
  app: { snapshot: "/lb/snapshot", digest: "/lb/digest" },
} as const;

export function renderProxyConfig(
  config: ClusterConfig,
  state: StatePaths,
  nodes: readonly ProxyNode[],
): ProxyConfigFile {
  const rendered = {
    cluster: config.name,
    listen: `127.0.0.1:${config.ports.traffic}`,
    admin: {
      listen: `127.0.0.1:${config.ports.admin}`,
      user: config.admin.user,
      passwordFile: state.adminPassword,
    },
    dataDir: state.data,
    nodes,
    journal: { keyFile: state.journalKey, headFile: state.journalHead },
  };
  return { ...rendered, ...proxySettings(config, rendered) };
}

/** What does not depend on where the cluster lives: `proxy:` over the defaults. @param base what it is merged with */
export function proxySettings(
  config: Pick<ClusterConfig, "app" | "proxy">,
  base: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const { ack, ...overrides } = config.proxy;
  const defaults = {
    ...(ack === undefined ? {} : { routes: routesWithAck(ack) }),
    ...(config.app.kind === "reference" ? APP_DEFAULTS : {}),
  };
  return { ...defaults, ...merge({ ...base, ...defaults }, overrides) };
}

export function proxyNode(name: string, port: number): ProxyNode {
  return { name, url: `http://127.0.0.1:${port}`, empty: true };
}

/** `app1` … in the order of their ports. */
export function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `app${index + 1}`);
}

export function portOf(config: ClusterConfig, node: string): number {
  return config.ports.apps + Number(node.slice("app".length)) - 1;
}

/** What `proxy:` may not say; its values are lb-proxy's to judge. */
export function overrideProblems(lbctlYaml: unknown): string[] {
  const overrides = isMapping(lbctlYaml) && isMapping(lbctlYaml.proxy) ? lbctlYaml.proxy : {};
  const problems = Object.keys(overrides)
    .filter((key) => key in SET_BY_LBCTL)
    .map((key) => `proxy/${key}: expected it to be set by ${SET_BY_LBCTL[key]}, got it here`);
  if ("ack" in overrides && "routes" in overrides) {
    problems.push("proxy/ack: expected the ack policy in proxy/routes, where they are given, got both");
  }
  return problems;
}

/** lb-proxy's default routes, with another ack policy. */
function routesWithAck(ack: unknown): readonly unknown[] {
  return [
    {
      match: { methods: ["POST"], paths: ["/register", "/changePassword"] },
      to: "all",
      ack,
      orderBy: "username",
    },
    { match: { methods: ["GET", "HEAD"] }, to: "one", balance: "roundrobin" },
  ];
}

/** Sections are merged key by key, so that `health: { interval: 2s }` leaves the path as it is. */
function merge(base: Readonly<Record<string, unknown>>, overrides: ProxyOverrides): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(overrides).map(([key, value]) => {
      const section = base[key];
      return [key, isMapping(section) && isMapping(value) ? { ...section, ...value } : value];
    }),
  );
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

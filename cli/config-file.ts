/** lbctl.yaml, read and checked. Every key has a default; no file at all means all of them. */
import { basename, dirname, resolve } from "node:path";
import { z } from "zod";
import { ConfigError, checkConfig } from "../proxy/config/config.ts";
import { awsSchema } from "./aws/aws-config.ts";
import { awsProblems } from "./aws/aws-problems.ts";
import {
  type ClusterConfig,
  CONFIG_FILE,
  DEFAULT_NODES,
  MAX_NODES,
  MONITORING_SETTINGS,
  TARGETS,
  WHY_NINE,
} from "./cluster-config.ts";
import { parseConfigText, readConfigText } from "./config-text.ts";
import { UserError } from "./errors.ts";
import { fileBeside } from "./file-beside.ts";
import { appProblems, appSection, HOSTS_KEYS, hostsProblems, hostsSection } from "./hosts-section.ts";
import { describeProblems } from "./problems.ts";
import { statePaths } from "./state.ts";
import { plural } from "./tools/format.ts";
import { nodeNames, overrideProblems, portOf, proxyNode, renderProxyConfig } from "./tools/proxy-config.ts";

/** The highest port of app1 that leaves room for app9. */
const LAST_APPS = 65_535 - MAX_NODES + 1;

const PEM = { error: "a file in PEM" };

const schema = z.strictObject(
  {
    name: matching(
      /^[a-z0-9][a-z0-9-]{0,31}$/,
      "a-z, 0-9 and -, at most 32, starting with a letter or digit",
    ).default("default"),
    target: z.enum(TARGETS, { error: TARGETS.join(", ") }).default("local"),
    nodes: whole(1, MAX_NODES, `a whole number from 1 to ${MAX_NODES} (${WHY_NINE})`)
      .nullable()
      .default(null),
    ports: z
      .strictObject(
        {
          /** 8080; where the balancer has a machine of its own 80, and 443 with tls. */
          traffic: port(65_535).nullable().default(null),
          admin: port(65_535).default(1936),
          apps: port(LAST_APPS).default(4567),
          prometheus: port(65_535).nullable().default(null),
          nodeExporter: port(65_535).nullable().default(null),
          grafana: port(65_535).nullable().default(null),
        },
        { error: "a mapping like { traffic: 8080, admin: 1936, apps: 4567 }" },
      )
      .prefault({}),
    admin: z
      .strictObject(
        { user: matching(/^[^:\s]+$/, "a name without colon or space").default("admin") },
        { error: "a mapping like { user: admin }" },
      )
      .prefault({}),
    monitoring: z.enum(MONITORING_SETTINGS, { error: MONITORING_SETTINGS.join(", ") }).default("auto"),
    tls: z
      .strictObject(
        { cert: z.string(PEM).min(1, PEM), key: z.string(PEM).min(1, PEM) },
        { error: "a mapping like { cert: fullchain.pem, key: privkey.pem }" },
      )
      .nullable()
      .default(null),
    hosts: hostsSection.nullable().default(null),
    app: appSection.default({ kind: "reference" }),
    proxy: z.record(z.string(), z.unknown(), { error: "a mapping of lb-proxy settings" }).prefault({}),
    aws: awsSchema.prefault({}),
  },
  { error: "a mapping like nodes: 3" },
);

const KNOWN_KEYS = {
  "": Object.keys(schema.shape),
  ports: ["traffic", "admin", "apps", "prometheus", "nodeExporter", "grafana"],
  admin: ["user"],
  tls: ["cert", "key"],
  ...HOSTS_KEYS,
  aws: Object.keys(awsSchema.shape),
};

type Checked = z.output<typeof schema>;

/**
 * @param configFlag `--config`; without it `lbctl.yaml` in the working directory, or the defaults if there is none
 * @throws UserError with every problem at once, exit code 2
 */
export async function loadClusterConfig(configFlag?: string): Promise<ClusterConfig> {
  const file = resolve(configFlag ?? CONFIG_FILE);
  const text = await readConfigText(file, configFlag !== undefined);
  const { value, problems: unread } = parseConfigText(text ?? "");
  if (unread.length > 0) throw refusal(file, unread);
  // An empty file, or one of comments only, is all defaults.
  const found = value ?? {};
  const checked = schema.safeParse(found);
  const config = checked.success ? complete(checked.data, text === null ? null : file, dirname(file)) : null;
  const problems = [
    ...(config ? problemsTogether(config) : []),
    ...(checked.success ? [] : describeProblems(checked.error, found, KNOWN_KEYS)),
    ...overrideProblems(found),
    ...proxyProblems(config ?? withDefaults(found, dirname(file))),
  ];
  if (!config || problems.length > 0) throw refusal(file, problems);
  return config;
}

/** What is wrong elsewhere must not hide what is wrong with the settings of lb-proxy. */
function withDefaults(found: unknown, dir: string): ClusterConfig {
  const { proxy } = { proxy: undefined, ...(typeof found === "object" ? found : {}) };
  const { data = schema.parse({}) } = schema.safeParse({ proxy });
  return complete(data, null, dir);
}

function complete(checked: Checked, file: string | null, dir: string): ClusterConfig {
  const standard = checked.tls === null ? 80 : 443;
  const traffic = checked.ports.traffic ?? (checked.target === "local" ? 8080 : standard);
  const tls = checked.tls && {
    cert: fileBeside(dir, checked.tls.cert),
    key: fileBeside(dir, checked.tls.key),
  };
  return { ...checked, ports: { ...checked.ports, traffic }, tls, file, dir };
}

function problemsTogether({ target, ports, tls, hosts, aws, nodes, app }: ClusterConfig): string[] {
  if (target === "aws") return [...sharedPort(ports), ...awsProblems(aws, ports), ...appProblems(app)];
  if (target !== "hosts") {
    return [
      ...portProblems(ports),
      ...(hosts ? [`hosts: expected only with target: hosts, got it with ${target}`] : []),
      ...(tls
        ? [`tls: expected only with target hosts or aws, got it with ${target}, which listens on loopback`]
        : []),
      ...(app.kind !== "reference" ? [`app: expected reference with target ${target}, got ${app.kind}`] : []),
    ];
  }
  if (!hosts)
    return ["hosts: expected a mapping like { balancer: 10.0.0.10, apps: [10.0.0.11] }, got nothing"];
  return [...sharedPort(ports), ...hostsProblems(hosts, nodes), ...appProblems(app)];
}

/** What lb-proxy says of the settings that are passed on to it, with their paths in lbctl.yaml. */
function proxyProblems(config: ClusterConfig): string[] {
  const nodes = nodeNames(config.nodes ?? DEFAULT_NODES).map((name) => proxyNode(name, portOf(config, name)));
  const state = statePaths(config.dir, config.name);
  try {
    checkConfig(renderProxyConfig(config, state, nodes), state.dir);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const found = error.problems.map(
      (problem) => `proxy/${problem.replace(/^routes\/0\/ack/, shortAck(config))}`,
    );
    // One that is refused by name already.
    return found.filter((problem) => !/^proxy\/(cluster|listen|admin|dataDir|nodes)\b/.test(problem));
  }
}

/** `proxy: { ack }` is short for the ack policy of the default routes. */
function shortAck({ proxy }: ClusterConfig): string {
  return "ack" in proxy ? "ack" : "routes/0/ack";
}

function whole(min: number, max: number, error: string) {
  return z.int({ error }).min(min, { error }).max(max, { error });
}

function port(max: number) {
  return whole(1, max, `a port from 1 to ${max}`);
}

function matching(form: RegExp, error: string) {
  return z.string({ error }).regex(form, { error });
}

function refusal(file: string, problems: readonly string[]): UserError {
  return new UserError(`${basename(file)} has ${plural(problems.length, "problem")}`, {
    exitCode: 2,
    problems,
    next: [`correct ${file}   # lbctl init --print shows every setting`],
  });
}

/** Room for nine apps is kept, so that scaling never runs into a port of ours. */
function portProblems({ apps, ...others }: ClusterConfig["ports"]): string[] {
  const last = apps + MAX_NODES - 1;
  const problems: string[] = [];
  const seen = new Map<number, string>();
  for (const [name, value] of Object.entries(others)) {
    if (value === null) continue;
    const other = seen.get(value);
    if (other) problems.push(`ports/${name}: expected another port than ${other}, got ${value}`);
    seen.set(value, name);
    if (value < apps || value > last) continue;
    problems.push(
      `ports/${name}: expected a port outside ${apps}–${last} (kept for app1 to app9), got ${value}`,
    );
  }
  return problems;
}

function sharedPort({ traffic, admin }: Pick<ClusterConfig["ports"], "traffic" | "admin">): string[] {
  return traffic === admin ? [`ports/admin: expected another port than traffic, got ${admin}`] : [];
}

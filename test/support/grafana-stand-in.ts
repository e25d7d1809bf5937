import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { tempFolder } from "./temp-folder.ts";

/**
 * Something that is called `grafana` and starts as Grafana does: it takes its command line, environment and
 * provisioning files, ends where one of them is not as Grafana needs it, and serves what it found. No Grafana.
 */

export interface GrafanaStandIn {
  /** To be put on the PATH. */
  readonly bin: string;
  readonly home: string;
}

/** What it serves under `/seen`. */
export interface Seen {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly datasources: readonly { readonly uid: string; readonly url: string }[];
  readonly boards: readonly string[];
}

/** @param body what it does, by default what Grafana does */
export function grafanaStandIn(t: TestContext, body = PROGRAM): GrafanaStandIn {
  const home = join(tempFolder(t), "grafana");
  const bin = join(home, "bin");
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(home, "conf"));
  writeFileSync(join(home, "conf/defaults.ini"), "");
  writeFileSync(join(bin, "program.ts"), body);
  writeFileSync(join(bin, "grafana"), `#!/bin/sh\nexec '${process.execPath}' '${bin}/program.ts' "$@"\n`);
  chmodSync(join(bin, "grafana"), 0o755);
  return { bin, home };
}

const YAML = import.meta.resolve("yaml");

const PROGRAM = `
import { existsSync, globSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { parse } from ${JSON.stringify(YAML)};

const env = process.env;
const need = (found, what) => {
  if (!found) throw new Error("expected " + what);
  return found;
};
const [command, ...flags] = process.argv.slice(2);
const flag = (name) => flags.find((one) => one.startsWith("--" + name + "="))?.slice(name.length + 3);
need(command === "server" && flags.length === 2, "server --homepath=… --config=…");
need(existsSync(join(need(flag("homepath"), "--homepath"), "conf/defaults.ini")), "conf/defaults.ini at home");
need(existsSync(need(flag("config"), "--config")), "the config file");
for (const name of ["DATA", "PLUGINS", "PROVISIONING"])
  need(existsSync(need(env["GF_PATHS_" + name], "GF_PATHS_" + name)), "a folder " + name);

/** Variables as Grafana fills them in: in values. */
const provisioned = (kind) => {
  const files = globSync(join(env.GF_PATHS_PROVISIONING, kind, "*.yaml"));
  need(files.length > 0, "provisioning of " + kind);
  const text = files.map((file) => readFileSync(file, "utf8")).join("");
  return parse(text.replaceAll(/\\$\\{(\\w+)\\}/g, (_, name) => need(env[name], "variable " + name)));
};
const { datasources } = provisioned("datasources");
const { providers } = provisioned("dashboards");
const boards = providers.flatMap(({ options }) =>
  globSync(join(options.path, "*.json")).map((file) => JSON.parse(readFileSync(file, "utf8"))),
);
need(existsSync(env.GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH), "the first board");

const seen = { argv: process.argv.slice(2), env, datasources, boards: boards.map(({ uid }) => uid) };
createServer(({ url }, response) => {
  const board = seen.boards.some((uid) => url === "/d/" + uid);
  response.statusCode = url === "/api/health" || url === "/seen" || board ? 200 : 404;
  response.end(JSON.stringify(seen));
}).listen(Number(env.GF_SERVER_HTTP_PORT), env.GF_SERVER_HTTP_ADDR);
process.on("SIGTERM", () => process.exit(0));
`;

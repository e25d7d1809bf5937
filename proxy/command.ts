/** `lb-proxy run|check --config FILE`: the balancer alone. */

import { parseArgs } from "node:util";
import { type Config, ConfigError, loadConfig } from "./config/config.ts";
import { fileWarnings } from "./config/config-files.ts";
import { changedSettings, restartProblems } from "./config/settings.ts";
import { LbError } from "./errors.ts";
import { acceptJournal } from "./journal/journal-open.ts";
import { createLog, type Log } from "./log.ts";
import { type Balancer, startBalancer } from "./server.ts";
import { inheritedSockets } from "./systemd/inherited.ts";
import { Notifier } from "./systemd/notify.ts";
import { VERSION } from "./version.ts";

const USAGE = `lb-proxy ${VERSION}: a load balancer for app servers that keep their own state

  lb-proxy run --config FILE             run it; SIGTERM drains and ends it, SIGHUP reloads FILE
  lb-proxy check --config FILE           check FILE, say what is wrong with it
      --since OLD                        and whether SIGHUP takes a balancer from OLD to it (3: it needs a new start)
  lb-proxy accept-journal --config FILE  go on after the journal was refused as behind its mark

FILE is YAML or JSON; docs/configuration.md lists every key.
`;

/** Exit code of `check --since`: SIGHUP would refuse the change. */
const NEEDS_START = 3;

/** Runs one command; gives the exit code, or undefined while the balancer runs. */
export async function command(args: readonly string[]): Promise<number | undefined> {
  return await obey(args).catch(refuse);
}

async function obey(args: readonly string[]): Promise<number | undefined> {
  const parsed = parse(args);
  if (typeof parsed === "string") return usage(parsed);
  if (parsed.help) return say(USAGE);
  if (parsed.version) return say(`${VERSION}\n`);
  const config = load(parsed.config);
  if (config === null) return 2;
  if (parsed.command === "check") return checked(parsed, config);
  if (parsed.command === "accept-journal") return accept(config);
  return await run(parsed.config, config);
}

interface Parsed {
  readonly command: string;
  readonly config: string;
  readonly since: string | null;
  readonly help: boolean;
  readonly version: boolean;
}

function parse(args: readonly string[]): Parsed | string {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: "string" },
        since: { type: "string" },
        help: { type: "boolean", default: false, short: "h" },
        version: { type: "boolean", default: false },
      },
    });
    const { help, version, since = null } = values;
    const [command = "", ...rest] = positionals;
    if (help || version) return { command, config: "", since, help, version };
    if (!["run", "check", "accept-journal"].includes(command)) {
      return `expected run, check or accept-journal, got ${command === "" ? "nothing" : JSON.stringify(command)}`;
    }
    if (rest.length > 0)
      return `expected nothing after ${command} but options, got ${JSON.stringify(rest[0])}`;
    if (!values.config) return "expected --config FILE, got none";
    if (since !== null && command !== "check") return `expected --since with check, got it with ${command}`;
    return { command, config: values.config, since, help, version };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function usage(problem: string): number {
  process.stderr.write(`lb-proxy: ${problem}\n\n${USAGE}`);
  return 2;
}

function say(text: string): number {
  process.stdout.write(text);
  return 0;
}

function load(file: string): Config | null {
  try {
    return loadConfig(file);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    complain(`${file} cannot be used`, error.problems);
    return null;
  }
}

function checked({ config: file, since }: Parsed, config: Config): number {
  const warnings = fileWarnings(config);
  if (warnings.length > 0) complain(`${file}: warnings`, warnings);
  const fixed = since === null ? [] : restartProblems(changedSettings(loadConfig(since), config));
  if (fixed.length > 0) complain(`${file}: ok, but not by SIGHUP`, fixed);
  else say(`${file}: ok\n`);
  return fixed.length > 0 ? NEEDS_START : 0;
}

function accept(config: Config): number {
  const { kept, lost } = acceptJournal({
    dataDir: config.dataDir,
    cluster: config.cluster,
    ...config.journal,
  });
  const gap = lost === null ? "nothing was lost" : `writes ${lost.first} to ${lost.last} are lost`;
  return say(
    `accepted: the journal ends at seq ${kept}, ${gap}; start the balancer and compare the nodes (lbctl verify)\n`,
  );
}

async function run(file: string, config: Config): Promise<number | undefined> {
  const begun = performance.now();
  const log = createLog(config.log);
  const running = Promise.withResolvers<Balancer>();
  onHangup(running.promise, file, log);
  log.starting({ version: VERSION, config: file, cluster: config.cluster });
  log.configWarnings(fileWarnings(config));
  const failed = (error: LbError) => {
    log.journalFailed("the process ends; start it again", error);
    log.fatal(error);
    process.exit(1);
  };
  const notifier = new Notifier(process.env);
  const inherited = inheritedSockets(process.env, process.pid);
  const balancer = await startBalancer({ config, log, version: VERSION, failed, inherited });
  running.resolve(balancer);
  onEnd(balancer, log, notifier);
  const { listen, adminListen: admin, head } = balancer;
  log.ready({ listen, admin, head, nodes: config.nodes.length, ms: Math.round(performance.now() - begun) });
  notifier.watch(() => balancer.alive());
  await notifier.ready(`${VERSION}, serving`);
  return undefined;
}

/** Heard from the first moment on (the default would end the process), and carried out once the balancer runs. */
function onHangup(running: Promise<Balancer>, file: string, log: Log): void {
  let reloads = Promise.resolve();
  process.on("SIGHUP", () => {
    reloads = reloads.then(async () => await reload(await running, file, log));
  });
}

function onEnd(balancer: Balancer, log: Log, notifier: Notifier): void {
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    const begun = performance.now();
    void notifier.stopping(`${VERSION}, draining`);
    const clean = await balancer.stop();
    notifier.unwatch();
    log.stopped({ ms: Math.round(performance.now() - begun), clean });
    log.flush();
    process.exit(0);
  };
  const fatal = (error: unknown) => {
    log.fatal(error);
    process.exit(1);
  };
  process.on("SIGTERM", () => void stop().catch(fatal));
  process.on("SIGINT", () => void stop().catch(fatal));
}

async function reload(balancer: Balancer, file: string, log: Log): Promise<void> {
  try {
    const config = loadConfig(file);
    const warnings = fileWarnings(config);
    log.reloaded({ changes: await balancer.reload(config) });
    log.configWarnings(warnings);
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [String(error)];
    balancer.reloadRefused(problems);
    log.reloadRefused(problems);
  }
}

function complain(what: string, problems: readonly string[]): void {
  process.stderr.write(`lb-proxy: ${what}:\n${problems.map((problem) => `  ${problem}\n`).join("")}`);
}

/** What went wrong before the balancer ran: said on stderr, with the exit code that fits. */
function refuse(error: unknown): number {
  if (error instanceof ConfigError) complain("the config cannot be used", error.problems);
  else if (error instanceof LbError) process.stderr.write(`lb-proxy: ${error.code}: ${error.message}\n`);
  else process.stderr.write(`lb-proxy: ${error instanceof Error ? error.message : String(error)}\n`);
  return error instanceof ConfigError ? 2 : 1;
}

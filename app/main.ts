import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { DEFAULT_COST, MAX_COST } from "./password.ts";
import { type AppOptions, type RunningApp, startServer } from "./server.ts";

/** The reference app server: `node app/main.ts --port 4567 --data app1.sqlite --name app1`. */

const HELP = `Usage: app --data FILE [--host 127.0.0.1] [--port 0] [--name NAME] [--hash-cost N] [--sync normal|full]

  --data       the SQLite file that holds all state; made if missing
  --port       0 (the default) takes any free port; the line printed on start names it
  --name       what GET /login says it was answered by (default: app)
  --hash-cost  scrypt's N, a power of two from 2 to ${MAX_COST}. The default, ${DEFAULT_COST}, is for trying things
               out (about 16 µs of CPU); for real passwords take 16384
  --sync       normal (the default) survives kill -9; full survives a power cut too, with an fsync per write
`;

class UsageError extends Error {}

function readOptions(args: string[]): AppOptions | "help" {
  const { values } = parse(args);
  if (values.help) return "help";
  if (!values.data) throw new UsageError("--data: expected a file, got nothing");
  return {
    host: values.host,
    port: number(values.port, "--port", (n) => n <= 65_535, "0 to 65535"),
    data: resolve(values.data),
    name: values.name,
    hashCost: number(values["hash-cost"], "--hash-cost", isCost, `a power of two, 2 to ${MAX_COST}`),
    sync: values.sync === "normal" || values.sync === "full" ? values.sync : badSync(values.sync),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "0" },
        data: { type: "string" },
        name: { type: "string", default: "app" },
        "hash-cost": { type: "string", default: String(DEFAULT_COST) },
        sync: { type: "string", default: "normal" },
        help: { type: "boolean", default: false },
      },
    });
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
}

function number(value: string, flag: string, valid: (n: number) => boolean, expected: string): number {
  if (/^\d{1,9}$/.test(value) && valid(Number(value))) return Number(value);
  throw new UsageError(`${flag}: expected ${expected}, got ${value}`);
}

function isCost(n: number): boolean {
  return n >= 2 && n <= MAX_COST && Number.isInteger(Math.log2(n));
}

function badSync(value: string): never {
  throw new UsageError(`--sync: expected normal or full, got ${value}`);
}

function closeOnSignal(app: RunningApp): void {
  const close = (): void => void app.close().then(() => process.exit(0));
  process.once("SIGTERM", close);
  process.once("SIGINT", close);
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(HELP);
  } else {
    const app = await startServer(options);
    closeOnSignal(app);
    process.stdout.write(`listening ${app.url}\n`);
  }
} catch (error) {
  const usage = error instanceof UsageError;
  process.stderr.write(`app: ${(error as Error).message}\n${usage ? HELP : ""}`);
  process.exitCode = usage ? 2 : 1;
}

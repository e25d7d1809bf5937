/**
 * Runs a program of this package under the Node.js that it is pinned to (an optional dependency of npm's, one for
 * each platform). Under an older one it starts that as a child: same stdio, signals passed on, same exit status.
 * No syntax newer than Node.js 12, so that an old one gets this far and can say what it lacks.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const NEEDED = 26;
const FORWARDED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT"];

const root = dirname(dirname(fileURLToPath(import.meta.url)));

export function runPinned(program, name) {
  const file = join(root, program);
  if (!existsSync(file)) {
    fail(name, `expected ${file}, got no such file: run \`npm run build\` first`);
  } else if (Number(process.versions.node.split(".")[0]) >= NEEDED) {
    process.argv[1] = file;
    import(pathToFileURL(file).href).catch((error) => fail(name, error.stack));
  } else {
    const node = pinnedNode();
    if (node) startUnder(node, file, name);
    else fail(name, missing());
  }
}

/** Its bin/node, wherever npm put the package; null where it isn't installed. */
function pinnedNode() {
  const require = createRequire(import.meta.url);
  try {
    const manifest = require.resolve(`node-linux-${process.arch}/package.json`);
    const node = join(dirname(manifest), "bin", "node");
    return existsSync(node) ? node : null;
  } catch {
    return null;
  }
}

function startUnder(node, file, name) {
  const child = spawn(node, [file].concat(process.argv.slice(2)), { stdio: "inherit" });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => fail(name, `expected to start ${node}, got ${error.message}`));
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    for (const forwarded of FORWARDED) process.removeAllListeners(forwarded);
    process.kill(process.pid, signal);
    // A signal that this process survives: end as a shell would say it.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
}

function missing() {
  const found = `${process.version} (${process.platform} ${process.arch})`;
  return [
    `expected Node.js ${NEEDED} or newer, got ${found},`,
    `and the pinned one (npm package node-linux-${process.arch}) is not installed.`,
    "",
    "Next, one of:",
    "  npm install --include=optional   # where lbctl is installed; brings the pinned Node.js (Linux x64 and arm64)",
    `  install Node.js ${NEEDED} and put it first on PATH`,
  ].join("\n");
}

function fail(name, message) {
  console.error(`${name}: ${message}`);
  process.exit(1);
}

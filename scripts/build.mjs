/**
 * Builds dist/, which is all that is installed: Node.js strips no types inside node_modules. Plain JavaScript, since
 * npm may run `prepare` with an older Node.js. proxy, app, supervisor and infra become one file each with their dependencies
 * inside (the proxy's is copied to hosts as it is); the cli keeps its dependencies outside, and is split so that each
 * command loads only what it needs.
 */
import { readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundlePage } from "../proxy/admin/stats/browser/bundle.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { dependencies, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** Built beside dist and then put in its place, so that what runs from dist meanwhile finds all of it. */
const fresh = `dist.${process.pid}.tmp`;

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  target: "node26",
  format: "esm",
  sourcemap: "linked",
  sourcesContent: false,
  keepNames: true,
  define: { LB_VERSION: JSON.stringify(version) },
  logLevel: "warning",
};

/** Dependencies that are CommonJS ask for Node.js' own modules by `require`. */
const withRequire = {
  js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
};

function oneFile(entry, outfile, define = {}) {
  return build({
    ...common,
    entryPoints: [entry],
    outfile: `${fresh}/${outfile}`,
    banner: withRequire,
    // Names of functions are kept by a call wherever one is made: on the paths of requests that is time and memory.
    keepNames: false,
    // Half the size, which each thread keeps in memory; the source map finds the lines.
    minifyWhitespace: true,
    // ES modules first, so that what is not used stays out: of OpenTelemetry's packages that is four fifths.
    mainFields: ["module", "main"],
    define: { ...common.define, ...define },
  });
}

/** With the stats page's script and style inside. */
async function proxy() {
  const { script, style } = await bundlePage();
  const texts = { LB_STATS_SCRIPT: JSON.stringify(script), LB_STATS_STYLE: JSON.stringify(style) };
  await oneFile("proxy/main.ts", "proxy.mjs", texts);
}

/** CDKTF and its bindings are for development alone: what is used of them is 1 MB of 400. */
function infra() {
  return build({
    ...common,
    entryPoints: ["infra/synth.ts"],
    outfile: `${fresh}/infra.mjs`,
    banner: withRequire,
    mainFields: ["module", "main"],
    minify: true,
    sourcemap: false,
  });
}

function cli() {
  return build({
    ...common,
    entryPoints: { "cli/bin": "cli/bin.ts", "cli/commands": "cli/commands/index.ts" },
    outdir: fresh,
    outExtension: { ".js": ".mjs" },
    chunkNames: "cli/[name]-[hash]",
    splitting: true,
    external: Object.keys(dependencies),
  });
}

const started = performance.now();
process.on("exit", () => rmSync(join(root, fresh), { recursive: true, force: true }));
await Promise.all([
  proxy(),
  oneFile("app/main.ts", "app.mjs"),
  oneFile("cli/local/supervisor-main.ts", "supervisor.mjs"),
  infra(),
  cli(),
]);
rmSync(join(root, "dist"), { recursive: true, force: true });
renameSync(join(root, fresh), join(root, "dist"));
console.log(`built dist in ${Math.round(performance.now() - started)} ms`);

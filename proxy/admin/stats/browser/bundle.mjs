/**
 * What the stats page loads: uPlot and the page's own script and style, as two texts. Plain JavaScript, since
 * scripts/build.mjs runs it with whatever Node.js npm has.
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** @returns {Promise<{ script: string, style: string }>} */
export async function bundlePage() {
  const { outputFiles } = await build({
    absWorkingDir: dirname(fileURLToPath(import.meta.url)),
    entryPoints: ["main.ts", "stats.css"],
    outdir: "out",
    write: false,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2023",
    // Its licence asks for its notice.
    banner: { js: "/*! uPlot, copyright (c) 2025, Leon Sorokin, MIT licensed */" },
    logLevel: "warning",
  });
  const textOf = (ending) => outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? "";
  return { script: textOf(".js"), style: textOf(".css") };
}

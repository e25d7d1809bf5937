import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startChild } from "./child.ts";
import type { Contender } from "./contenders.ts";

/** The balancer as its source is, in a process of its own. */
export interface FromSource extends Contender {
  readonly adminUrl: string;
  /** The admin's, as a header. */
  readonly authorization: string;
}

/** Its folder is made in `dir`; stop it by `child.stop()`. */
export async function startFromSource(
  dir: string,
  name: "counting" | "silent",
  urls: readonly string[],
): Promise<FromSource> {
  const folder = mkdtempSync(join(dir, `${name}-`));
  const config = join(folder, "lb-proxy.json");
  const nodes = urls.map((url, index) => ({ name: `app${index + 1}`, url, empty: true }));
  writeFileSync(config, JSON.stringify({ listen: "127.0.0.1:0", admin: { listen: "127.0.0.1:0" }, nodes }));
  const argv = [process.execPath, join(import.meta.dirname, "servers/balancer.ts"), config, name];
  const child = await startChild(argv, join(folder, "log"), /^ready (\S+) (\S+)$/m);
  const password = readFileSync(join(folder, "admin.password"), "utf8").trim();
  const authorization = `Basic ${Buffer.from(`admin:${password}`).toString("base64")}`;
  const [url = "", adminUrl = ""] = child.found;
  return { name, version: "", url, child, adminUrl, authorization };
}

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { grafanaFiles } from "../grafana/files.ts";

/** Writes the dashboards, rules and provisioning files in grafana/. */

for (const [file, text] of Object.entries(grafanaFiles())) {
  const path = join(import.meta.dirname, "..", file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

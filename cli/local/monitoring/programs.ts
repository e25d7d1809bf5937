/** Which programs for monitoring are on this machine. */
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { MonitoringName } from "./names.ts";

export interface MonitoringProgram {
  readonly executable: string;
  /** Where Grafana's own files are; null: it needs none. */
  readonly home: string | null;
}

/** Under one of these names, the first that is there. */
const EXECUTABLES: Readonly<Record<MonitoringName, readonly string[]>> = {
  prometheus: ["prometheus"],
  // Debian's name, and its maker's.
  nodeExporter: ["prometheus-node-exporter", "node_exporter"],
  // Since Grafana 9 one program for everything; before that one for each.
  grafana: ["grafana", "grafana-server"],
};

/** Where packages put them: a PATH may be without. */
const USUAL_FOLDERS = [
  "/usr/local/bin",
  "/usr/bin",
  "/usr/local/sbin",
  "/usr/sbin",
  "/usr/share/grafana/bin",
];
const GRAFANA_HOME = "/usr/share/grafana";

/** @param path as in the environment; @returns null where there is none, or none that can be started */
export function findProgram(name: MonitoringName, path = process.env.PATH ?? ""): MonitoringProgram | null {
  for (const folder of [...path.split(":").filter((part) => part.startsWith("/")), ...USUAL_FOLDERS]) {
    for (const file of EXECUTABLES[name].map((executable) => join(folder, executable))) {
      const program = isExecutable(file) ? programAt(name, file) : null;
      if (program) return program;
    }
  }
  return null;
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/**
 * Packages of Grafana put a script on the PATH that names the system's own configuration; the binary in Grafana's
 * home is free of that.
 */
function programAt(name: MonitoringName, file: string): MonitoringProgram | null {
  if (name !== "grafana") return { executable: file, home: null };
  const homes = [dirname(dirname(realpathSync(file))), GRAFANA_HOME];
  const home = homes.find((folder) => existsSync(join(folder, "conf/defaults.ini")));
  if (home === undefined) return null;
  const inside = join(home, "bin", basename(file));
  return { executable: isExecutable(inside) ? inside : file, home };
}

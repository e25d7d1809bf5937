/** Command lines of a local cluster's processes: pure. */
import { join } from "node:path";
import { nodeDir, type StatePaths } from "../state.ts";
import type { ProcessSpec } from "./processes.ts";

export const BALANCER = "balancer";

export interface ProgramFile {
  /** The Node.js that runs it. */
  readonly node: string;
  readonly file: string;
  readonly revision: string;
}

export function balancerSpec(program: ProgramFile, state: StatePaths, drainTimeout: number): ProcessSpec {
  return {
    name: BALANCER,
    argv: [program.node, program.file, "run", "--config", state.proxyConfig],
    revision: program.revision,
    stopTimeout: drainTimeout + 5000,
  };
}

export function appSpec(program: ProgramFile, state: StatePaths, node: string, port: number): ProcessSpec {
  return {
    name: node,
    argv: [
      program.node,
      program.file,
      ...["--name", node],
      ...["--port", String(port)],
      ...["--data", join(nodeDir(state, node), "data.sqlite")],
    ],
    revision: program.revision,
    stopTimeout: 10_000,
  };
}

export function supervisorArgv(program: ProgramFile, dir: string, name: string): readonly string[] {
  return [program.node, program.file, dir, name];
}

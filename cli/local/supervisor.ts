/**
 * Keeps the processes of a local cluster running, for as long as its processes.json is there. Made to be killed at
 * any moment: the next one finds what still runs and goes on with it.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { clusterProcesses, SUPERVISOR, startTimeOf } from "../proc.ts";
import { readJson, type StatePaths, writeJson } from "../state.ts";
import { LOG_LIMITS, rotateLog } from "./log-rotation.ts";
import type { SupervisorStatus, WantedProcesses } from "./processes.ts";
import { BALANCER } from "./specs.ts";
import { type SupervisedContext, SupervisedProcess } from "./supervised-process.ts";

const TICK = 100;
const ROTATE_EVERY = 1000;

export class Supervisor {
  readonly #state: StatePaths;
  readonly #build: string;
  readonly #log: SupervisedContext["log"];
  readonly #processes = new Map<string, SupervisedProcess>();
  #wake = new AbortController();
  #serial = 0;
  #stopping = false;
  #written = "";
  #lastRotation = 0;

  constructor(state: StatePaths, build: string, log: SupervisedContext["log"]) {
    this.#state = state;
    this.#build = build;
    this.#log = log;
  }

  /** Runs until `stop` was called, or the cluster's processes.json is gone, and every process has ended. */
  async run(): Promise<void> {
    while (!this.#stopping || this.#processes.size > 0) {
      await this.#readWanted();
      this.#tickAll(Date.now());
      await this.#writeStatus();
      this.#rotateLogs(Date.now());
      await this.#pause();
    }
  }

  stop(): void {
    this.#stopping = true;
    this.#wake.abort();
  }

  async #readWanted(): Promise<void> {
    const wanted = await this.#readFile();
    if (!wanted) this.#stopping = true;
    if (this.#stopping || !wanted) return this.#wantNothing();
    if (wanted.serial === this.#serial) return;
    this.#want(wanted);
    this.#serial = wanted.serial;
  }

  /** @returns null when it is gone: the cluster was removed */
  async #readFile(): Promise<WantedProcesses | null> {
    try {
      return await readJson<WantedProcesses>(this.#state.processes);
    } catch (error) {
      this.#log("could not read which processes are wanted", { error: String(error) });
      return { serial: this.#serial, processes: [] };
    }
  }

  #want({ processes }: WantedProcesses): void {
    for (const process of this.#processes.values()) process.wanted = null;
    for (const spec of processes) {
      const known = this.#processes.get(spec.name);
      if (known) known.wanted = spec;
      known?.forgive();
      if (!known) this.#processes.set(spec.name, new SupervisedProcess(spec.name, spec, this.#context()));
    }
    this.#stopStrays();
  }

  /** The balancer first: it finishes what is in flight while the nodes still answer. */
  #wantNothing(): void {
    const balancer = this.#processes.get(BALANCER);
    if (balancer) balancer.wanted = null;
    else for (const process of this.#processes.values()) process.wanted = null;
  }

  #stopStrays(): void {
    for (const found of clusterProcesses(this.#state.dir)) {
      if (found.name === SUPERVISOR || this.#processes.has(found.name)) continue;
      this.#processes.set(found.name, SupervisedProcess.stray(found, this.#context()));
    }
  }

  #tickAll(now: number): void {
    for (const process of this.#processes.values()) {
      process.tick(now);
      if (process.done) this.#processes.delete(process.name);
    }
  }

  async #writeStatus(): Promise<void> {
    const status: SupervisorStatus = {
      pid: process.pid,
      startTime: startTimeOf(process.pid) ?? 0,
      serial: this.#serial,
      build: this.#build,
      processes: [...this.#processes.values()].map((supervised) => supervised.status()),
    };
    const text = JSON.stringify(status);
    if (text === this.#written) return;
    try {
      await writeJson(this.#state.supervisor, status);
      this.#written = text;
    } catch (error) {
      // A full disk, or the state directory was removed: the processes matter more.
      this.#log("could not write its status", { error: String(error) });
    }
  }

  #rotateLogs(now: number): void {
    if (now - this.#lastRotation < ROTATE_EVERY) return;
    this.#lastRotation = now;
    try {
      for (const name of readdirSync(this.#state.logs)) {
        if (name.endsWith(".log")) rotateLog(join(this.#state.logs, name), LOG_LIMITS);
      }
    } catch (error) {
      this.#log("could not rotate logs", { error: String(error) });
    }
  }

  #context(): SupervisedContext {
    return { state: this.#state, log: this.#log, wake: () => this.#wake.abort() };
  }

  async #pause(): Promise<void> {
    await sleep(TICK, undefined, { signal: this.#wake.signal }).catch(() => undefined);
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }
}

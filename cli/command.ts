/** What all commands share. A command parses its flags and calls one operation, loaded only when it runs. */
import { Command, Flags } from "@oclif/core";
import { Interrupted } from "./errors.ts";
import type { ChangeContext } from "./target.ts";
import { makeUi, type Ui } from "./ui.ts";

export const configFlag = Flags.string({
  char: "c",
  helpValue: "FILE",
  summary: "The cluster's config; without it lbctl.yaml here, or the defaults.",
});

export const jsonFlag = Flags.boolean({ summary: "Print JSON." });

export const verboseFlag = Flags.boolean({ summary: "Show what the tools print (Ansible's output)." });

export const yesFlag = Flags.boolean({
  char: "y",
  summary: "Don't ask before machines are made or removed (aws).",
});

/** A second Ctrl-C sooner than this is the same one: the terminal and a wrapper both sent it. In ms. */
const SAME_KEY = 500;

export abstract class BaseCommand extends Command {
  readonly #interruption = new AbortController();

  /** Aborted by Ctrl-C, SIGTERM or a closed terminal. */
  get signal(): AbortSignal {
    return this.#interruption.signal;
  }

  override async init(): Promise<void> {
    await super.init();
    let first = 0;
    const stop = (name: NodeJS.Signals) => {
      if (first > 0 && performance.now() - first > SAME_KEY) process.exit(1);
      first ||= performance.now();
      this.#interruption.abort(new Interrupted(name));
    };
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, stop);
  }

  /** For what goes on until it is stopped: it ends, too, when nobody reads it any more (`| head`). */
  endWithReader(): void {
    process.stdout.once("error", () => this.#interruption.abort(new Interrupted("SIGPIPE")));
  }

  /** Prints a result: as JSON, or as people read it. */
  show<T>(result: T, json: boolean, render: (result: T) => string): void {
    this.log(json ? JSON.stringify(result, null, 2) : render(result));
  }

  ui(json: boolean): Ui {
    return makeUi({ silent: json });
  }

  /** @param verbose shows what the tools print instead of steps */
  context(json: boolean, { verbose = false, yes = false } = {}): ChangeContext {
    return { ui: this.ui(json || verbose), signal: this.signal, verbose: verbose && !json, yes };
  }
}

/** Progress: named steps, as a live list on a terminal, as plain lines elsewhere, not at all with --json. */
import { styleText } from "node:util";
import { duration } from "./tools/format.ts";

export interface Step {
  readonly title: string;
  /**
   * @param say what is going on inside the step, for people who wait
   * @param note what is worth reading behind its title once it is done
   */
  readonly run: (say: (detail: string) => void, note: (text: string) => void) => Promise<void>;
}

export interface Ui {
  readonly interactive: boolean;
  /** Runs them in order; the first that throws ends it. */
  steps(steps: readonly Step[]): Promise<void>;
  /** Asks; false without a terminal to ask on. */
  confirm(question: string): Promise<boolean>;
}

export function makeUi({ silent }: { readonly silent: boolean }): Ui {
  if (silent) return { interactive: false, steps: runSilently, confirm: async () => false };
  const interactive =
    process.stdout.isTTY === true && process.stdin.isTTY === true && process.env.CI === undefined;
  return {
    interactive,
    steps: process.stdout.isTTY && process.env.CI === undefined ? runLive : runPlainly,
    confirm: interactive ? askUser : async () => false,
  };
}

function ignore(): void {}

async function runSilently(steps: readonly Step[]): Promise<void> {
  for (const step of steps) await step.run(ignore, ignore);
}

async function runPlainly(steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    const started = performance.now();
    let said = "";
    let noted = "";
    try {
      await step.run(
        (detail) => {
          said = detail;
        },
        (text) => {
          noted = text;
        },
      );
    } catch (error) {
      console.log(`✖ ${step.title}${said && `: ${said}`}`);
      throw error;
    }
    console.log(`✔ ${step.title} (${duration(performance.now() - started)})${noted && `: ${noted}`}`);
  }
}

async function runLive(steps: readonly Step[]): Promise<void> {
  const { Listr } = await import("listr2");
  const tasks = steps.map((step) => ({
    title: step.title,
    task: async (_: unknown, task: { title: string; output: string }) => {
      const started = performance.now();
      let noted = "";
      await step.run(
        (detail) => {
          task.output = detail;
        },
        (text) => {
          noted = text;
        },
      );
      const took = styleText("dim", `(${duration(performance.now() - started)})`);
      task.title = `${step.title} ${took}${noted && `: ${noted}`}`;
    },
  }));
  // Ctrl-C is ours: the lock is to be released, and the cursor comes back when the list ends.
  await new Listr(tasks, {
    registerSignalListeners: false,
    rendererOptions: { showErrorMessage: false, collapseErrors: false },
  }).run();
}

async function askUser(question: string): Promise<boolean> {
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(`${question} [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    // Ctrl-C here goes to the terminal, not to us.
    if (error instanceof Error && error.name === "AbortError") return false;
    throw error;
  } finally {
    terminal.close();
  }
}

/** Runs what tests are made of as a command of its own: cleans up at the end, says what it finds. */

import type { TestContext } from "node:test";

/** Sets exit code 1 when `work` rejects. */
export async function standalone(work: (t: TestContext) => Promise<void>): Promise<void> {
  await using ends = new AsyncDisposableStack();
  // All that the helpers ask of a test's context.
  const context = {
    after: (end: () => unknown) => ends.defer(async () => void (await end())),
    diagnostic: (line: string) => process.stdout.write(`${line}\n`),
  } as unknown as TestContext;
  try {
    await work(context);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  }
}

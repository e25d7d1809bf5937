import type { TestEvent } from "node:test/reporters";

/** A reporter for the end of a run: every skipped test with its reason, so that none is skipped in silence. */
export default async function* skipped(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const lines: string[] = [];
  for await (const event of source) {
    if (event.type !== "test:pass" || event.data.skip === undefined) continue;
    const reason = typeof event.data.skip === "string" ? event.data.skip : "no reason given";
    lines.push(`  ${event.data.name}: ${reason}\n`);
  }
  yield lines.length === 0 ? "\nno test was skipped\n" : `\nskipped tests:\n${lines.join("")}`;
}

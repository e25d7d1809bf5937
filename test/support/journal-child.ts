/**
 * A process that holds a journal open, to be killed: `node journal-child.ts OPTIONS [RUN]`. Without RUN it only
 * holds it. With RUN it appends and acks without pause, and says "SEQ ID" for each append that resolved.
 */

import { writeSync } from "node:fs";
import type { JournalOptions } from "../../proxy/journal/journal.ts";
import { openJournal } from "../../proxy/journal/journal-start.ts";
import { ackOf, newRecord, nodeRow } from "./journals.ts";

const [, , options = "", run] = process.argv;
const journal = await openJournal(JSON.parse(options) as JournalOptions, [], (records) => {
  for (const { seq } of records) {
    journal.ack(ackOf(seq, "app1"));
    journal.settle(seq, 201, null);
    journal.moveCursor("app1", seq);
  }
});
if ((await journal.nodes()).length === 0) await journal.saveNode(nodeRow("app1"));
say("open");
for (let id = 0; run !== undefined; ) {
  const ids = Array.from({ length: 1 + (id % 7) }, () => `${run}.${id++}`);
  await Promise.all(ids.map(async (name) => say(`${(await journal.append(newRecord(name))).seq} ${name}`)));
}
setInterval(() => {}, 1000);

/** At once, so that nothing that was said is lost with the process. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

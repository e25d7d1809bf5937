import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { LogStream } from "../../proxy/log-stream.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/wait.ts";

function create(t: TestContext, dropped?: () => void) {
  const file = join(tempFolder(t), "log");
  const fd = openSync(file, "w");
  t.after(() => closeSync(fd));
  return { stream: new LogStream(fd, dropped), content: () => readFileSync(file, "utf8") };
}

test("lines are held back for a moment, and then go out together and in order", async (t) => {
  const { stream, content } = create(t);
  for (let index = 0; index < 5; index++) stream.write(`line ${index}\n`);
  assert.equal(content(), "");
  // The stream's timer keeps no process alive; until() does.
  await until(() => content() === "line 0\nline 1\nline 2\nline 3\nline 4\n");
});

test("much is not held back", async (t) => {
  const { stream, content } = create(t);
  const line = `${"é".repeat(2047)}\n`;
  for (let index = 0; index < 20; index++) stream.write(line);
  await until(() => content() === line.repeat(20));
});

test("flush sends what is held, also what comes while a write is under way", async (t) => {
  const { stream, content } = create(t);
  stream.write("a\n");
  stream.flush();
  stream.write("b\n");
  stream.flush();
  await until(() => content() === "a\nb\n");
});

test("flushSync leaves nothing behind", (t) => {
  const { stream, content } = create(t);
  stream.write("a\n");
  stream.write("b\n");
  stream.flushSync();
  assert.equal(content(), "a\nb\n");
});

test("a process that ends at once loses no line and writes none twice", () => {
  const log = new URL("../../proxy/log.ts", import.meta.url).href;
  const line = '{ id: "1", client: "c", method: "GET", target: "/", route: null, status: 200, ms: 1 }';
  const script = `import { createLog } from ${JSON.stringify(log)};
    const log = createLog({ level: "info", access: true, sample: 1 });
    log.request(${line});
    log.alarm("first");
    log.alarm("second");
    log.request(${line});
    process.exit(0);`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
  });
  const told = output
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text))
    .map(({ msg, what }) => what ?? msg);
  assert.deepEqual(told.sort(), ["first", "request", "request", "second"]);
});

test("lines beyond the buffer's limit are dropped and counted, and later ones go on", async (t) => {
  let dropped = 0;
  const { stream, content } = create(t, () => dropped++);
  const line = `${"x".repeat(1023)}\n`;
  for (let index = 0; index < 1100; index++) stream.write(line);
  // 64 KiB went out as soon as they were there; a mebibyte is held.
  assert.equal(dropped, 1100 - 64 - 1024);
  await until(() => content().length === (64 + 1024) * 1024);
  stream.write("after\n");
  stream.flush();
  await until(() => content().endsWith("after\n"));
});

test("a descriptor that can't be written to stops nobody, and each of its lines counts as dropped", async () => {
  let dropped = 0;
  const stream = new LogStream(999_999, () => dropped++);
  stream.write("a\n");
  stream.write("b\n");
  stream.flush();
  stream.flushSync();
  await until(() => dropped === 2);
});

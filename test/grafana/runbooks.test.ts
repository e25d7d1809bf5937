/** Whoever is woken follows a runbook word by word: each alert has one, and what it names exists. */

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COMMANDS } from "../../cli/commands/index.ts";
import { ALERTS } from "../../grafana/alerts.ts";
import { BOARDS } from "../../grafana/files.ts";
import { runbookOf } from "../../grafana/rules.ts";
import { METRICS } from "../../proxy/metrics/metrics-table.ts";
import { panelsOf, readBoards } from "../support/boards.ts";

const ROOT = join(import.meta.dirname, "../..");

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

test("every alert has a page, and every page an alert", () => {
  const pages = globSync("docs/runbooks/*.md", { cwd: ROOT });
  assert.deepEqual(pages.toSorted(), ALERTS.map(({ name }) => runbookOf(name)).toSorted());
});

const CONFIG = read("docs/configuration.md");
const ERRORS = read("docs/errors.md");

for (const { name } of ALERTS) {
  const text = read(runbookOf(name));
  /** What stands in backticks, on one line. */
  const named = [...text.replaceAll(/\s+/g, " ").matchAll(/`([^`]+)`/g)].map(([, words = ""]) => words);

  test(`${name}: says what it means, how to look and how to mend, each in a few lines`, () => {
    const [head, ...parts] = text.split(/^## /m);
    assert.equal(head, `# ${name}\n\n`);
    const headings = parts.map((part) => part.slice(0, part.indexOf("\n")));
    assert.deepEqual(headings, ["What it means", "How to look", "How to mend"]);
    for (const part of parts) {
      const lines = part.trim().split("\n").length;
      assert.ok(lines > 2 && lines < 20, `${part.slice(0, 20)}: ${lines} lines`);
    }
    assert.ok(named.length > 0);
  });

  test(`${name}: the commands, settings, codes and metrics that it names exist`, () => {
    for (const words of named) {
      if (/^(npx )?lbctl /.test(words)) isCommand(words.replace(/^npx /, ""));
      if (/^(writes|health|journal|limits|app|admin|listen)\.\w+(\.\w+)*$/.test(words)) {
        assert.ok(CONFIG.includes(`| \`${words}\` |`), `${words} in docs/configuration.md`);
      }
      const code = /^50\d (\w+)$/.exec(words)?.[1];
      if (code !== undefined) assert.ok(ERRORS.includes(`\`${code}\` |`), `${code} in docs/errors.md`);
      const metric = /^lb_\w+/.exec(words)?.[0];
      if (metric !== undefined)
        assert.ok(
          Object.values(METRICS).some((row) => row.name === metric),
          metric,
        );
    }
  });

  test(`${name}: the boards that it names exist`, () => {
    const titles = BOARDS.map(({ title }) => title.replace("lbctl / ", ""));
    const boards = [...text.matchAll(/[Bb]oard \*([^*]+)\*/g)].map(([, board = ""]) => board);
    for (const board of boards) assert.ok(titles.includes(board), board);
  });
}

/** `lbctl nodes resync NAME --done`: the command is there, and has the flags. */
function isCommand(words: string): void {
  const [, first = "", second = "", ...rest] = words.split(" ");
  const id = `${first}:${second}` in COMMANDS ? `${first}:${second}` : first;
  const command = COMMANDS[id as keyof typeof COMMANDS];
  assert.ok(command !== undefined, words);
  const flags: Readonly<Record<string, unknown>> = command.flags;
  for (const word of [second, ...rest].filter((word) => word.startsWith("--"))) {
    assert.ok(word.slice(2) in flags, `${words}: ${word}`);
  }
}

test("a panel that a runbook sends someone to is on a board", () => {
  const titles = new Set(readBoards().flatMap((board) => panelsOf(board).map(({ title }) => title)));
  for (const title of PANELS) assert.ok(titles.has(title), title);
  const pages = ALERTS.map(({ name }) => read(runbookOf(name)).replaceAll(/\s+/g, " ")).join("\n");
  for (const title of PANELS) assert.ok(pages.includes(title), `${title} is named by no page any more`);
});

/** Panels that the pages name in running text. */
const PANELS = [
  "Writes whose clients were told no",
  "Writes by how they ended",
  "Times it was given its history",
  "Disk left",
  "Journal's limit in use",
  "File systems",
  "Disks busy",
  "Time of a disk write",
  "Failed requests",
  "Problems by code",
  "Refused by limits",
  "Time of a read",
  "Event loop lag",
  "Utilisation of threads",
  "Time of a write at each node",
  "Until a write is on disk",
  "CPU of the host",
  "Certificate expires in",
];

import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

/** Docs name files, scripts and commands; a reader who follows one must find it. */

const ROOT = join(import.meta.dirname, "..");
const PAGES = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...globSync("docs/**/*.md", { cwd: ROOT }),
];

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

function named(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ""))];
}

for (const page of PAGES) {
  const text = read(page);

  test(`${page}: every link to a file leads to one`, () => {
    const links = named(text, /\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g);
    const missing = links.filter((link) => !existsSync(join(ROOT, dirname(page), link)));
    assert.deepEqual(missing, []);
  });

  test(`${page}: every path of the repository that it names is there`, () => {
    const paths = named(text, /`((?:proxy|app|cli|bin|grafana|test|scripts|docs)\/[\w./*-]*)`/g);
    const missing = paths.filter((path) => globSync(path.replace(/\/$/, ""), { cwd: ROOT }).length === 0);
    assert.deepEqual(missing, []);
  });

  test(`${page}: every npm script and lbctl command that it names is there`, () => {
    const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
    const run = named(text, /npm run ([\w:-]+)/g).filter((script) => scripts[script] === undefined);
    const commands = named(text, /`?(?:npx )?\blbctl ([a-z]+)\b/g).filter((word) => !PROSE.has(word));
    const unknown = commands.filter((command) => !existsSync(join(ROOT, "cli/commands", `${command}.ts`)));
    assert.deepEqual([...run, ...unknown], []);
  });
}

/** What follows the program's name in running text. */
const PROSE = new Set([
  "a",
  "being",
  "hands",
  "holds",
  "for",
  "is",
  "does",
  "and",
  "says",
  "itself",
  "knows",
  "has",
  "alone",
  "makes",
]);

test("ARCHITECTURE.md: the map names every file of proxy/ that is there, and none that is not", () => {
  const map = /```\n(proxy\/[\s\S]*?)\napp\//.exec(read("ARCHITECTURE.md"))?.[1] ?? "";
  const names = named(map, /([\w-]+\.ts)/g).toSorted();
  assert.deepEqual(names, globSync("*.ts", { cwd: join(ROOT, "proxy") }).toSorted());
});

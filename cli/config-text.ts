/** lbctl.yaml as text, and as the value that is written there: what can be wrong with it before its keys are looked at. */
import { lstat, readFile, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type Document, isScalar, LineCounter, parseDocument, visit, type YAMLError } from "yaml";
import { errorCode, UserError } from "./errors.ts";
import { shellWord } from "./tools/format.ts";

/**
 * @param mustExist else null where there is none
 * @throws UserError with what is there instead of a file that can be read, exit code 2
 */
export async function readConfigText(file: string, mustExist: boolean): Promise<string | null> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw unreadable(file, "a directory", `--config ${join(file, "lbctl.yaml")}`);
    // A pipe may never end; and scale writes the file anew, which a device must be spared.
    if (!found.isFile()) throw unreadable(file, "something that is no file", "name a file with --config");
    return await readFile(file, "utf8");
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const code = errorCode(cause) ?? String(cause);
    const look = `ls -l ${shellWord(file)}   # lbctl runs as ${userInfo().username}`;
    if (code !== "ENOENT") throw unreadable(file, code, look, cause);
    if (await isThere(file)) throw unreadable(file, "a link to what is not there", look, cause);
    if (!mustExist) return null;
    throw unreadable(file, code, "lbctl init   # writes a commented lbctl.yaml", cause);
  }
}

function unreadable(file: string, got: string, next: string, cause?: unknown): UserError {
  return new UserError(`expected a config file at ${file}, got ${got}`, { exitCode: 2, next: [next], cause });
}

async function isThere(file: string): Promise<boolean> {
  return await lstat(file).then(
    () => true,
    () => false,
  );
}

export interface ParsedText {
  /** Null: nothing is written there. */
  readonly value: unknown;
  /** `line 3, column 1: expected …, got …`; with any, the value is not to be used. */
  readonly problems: readonly string[];
}

export function parseConfigText(text: string): ParsedText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const problems = [...document.errors, ...document.warnings].map(
    (error) => `${placeOf(lines, error.pos[0])}: ${problemOf(error, text)}`,
  );
  if (problems.length === 0) problems.push(...oddities(document, lines));
  return problems.length > 0 ? { value: null, problems } : { value: document.toJS(), problems };
}

function placeOf(lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `line ${line}, column ${col}`;
}

function problemOf({ code, message, pos }: YAMLError, text: string): string {
  if (code === "DUPLICATE_KEY") {
    const key = /^[^\s:,{}]+/.exec(text.slice(pos[0]))?.[0] ?? "one";
    return `expected each key once, got ${key} again`;
  }
  if (code === "MULTIPLE_DOCS") return "expected one document, got another";
  return `expected YAML, got: ${message}`;
}

/** What YAML allows, and no JavaScript value can be made of. */
function oddities(document: Document.Parsed, lines: LineCounter): string[] {
  const problems: string[] = [];
  const at = (node: { range?: readonly number[] | null | undefined }) => placeOf(lines, node.range?.[0] ?? 0);
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document)) return;
      problems.push(`${at(alias)}: expected an anchor for *${alias.source} before it, got none`);
    },
    Pair: (_, { key }) => {
      if (isScalar(key)) return;
      const where = key as { range?: readonly number[] | null };
      problems.push(`${at(where)}: expected a plain word for a key, got something else`);
    },
  });
  return problems;
}

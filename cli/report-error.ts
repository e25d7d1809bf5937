/** The last word of a command that failed: what was expected, what came, what to do. */
import { styleText } from "node:util";
import { UserError } from "./errors.ts";

/** As much of oclif's errors as tells them from our bugs. */
interface OclifError extends Error {
  readonly oclif: { readonly exit?: number };
}

/** Prints it; @returns the exit code: 1 failure, 2 usage, or what the command chose */
export function reportError(error: unknown, argv: readonly string[]): number {
  if (isExit(error)) return error.oclif.exit ?? 0;
  const json = argv.includes("--json");
  const shown = isOclif(error) ? usageError(error, argv) : error;
  if (json) console.log(JSON.stringify({ error: asJson(shown) }, null, 2));
  console.error(shown instanceof UserError ? asText(shown) : bug(shown, argv));
  return shown instanceof UserError ? shown.exitCode : 1;
}

function asText({ message, problems, next }: UserError): string {
  return [
    `${styleText("red", "lbctl:")} ${message}`,
    ...problems.map((problem) => `  ${problem}`),
    ...(next.length > 0 ? ["", "Next:", ...next.map((step) => `  ${step}`)] : []),
  ].join("\n");
}

function asJson(error: unknown): unknown {
  if (!(error instanceof UserError)) return { message: String(error), code: null, problems: [], next: [] };
  const { message, code, problems, next } = error;
  return { message, code, problems, next };
}

/** oclif's own: unknown commands, flags, arguments, and values that are missing. */
function usageError(error: OclifError, argv: readonly string[]): UserError {
  const unknown = /^[Cc]ommand (\S+) not found/.exec(error.message)?.[1];
  if (unknown !== undefined) {
    const words = JSON.stringify(unknown.replaceAll(":", " "));
    return new UserError(`expected a command of lbctl, got ${words}`, {
      exitCode: 2,
      next: ["lbctl --help"],
    });
  }
  const lines = error.message
    .replace(/\n?See more help with --help/, "")
    .split("\n")
    .map((line) => line.trim());
  const [message = "", ...problems] = lines.filter(
    (line) => line !== "" && line !== "The following error occurred:",
  );
  const command = argv.filter((word) => /^[a-z]+$/.test(word)).slice(0, 1);
  return new UserError(message, {
    exitCode: 2,
    problems,
    next: [["lbctl", ...command, "--help"].join(" ")],
    cause: error,
  });
}

function bug(error: unknown, argv: readonly string[]): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${styleText("red", "lbctl:")} this should not have happened; please report it with what follows\n\nlbctl ${argv.join(" ")}\n${text}`;
}

function isOclif(error: unknown): error is OclifError {
  return (
    error instanceof Error && "oclif" in error && typeof error.oclif === "object" && error.oclif !== null
  );
}

/** `this.exit(code)` in a command. */
function isExit(error: unknown): error is OclifError {
  return isOclif(error) && "code" in error && error.code === "EEXIT";
}

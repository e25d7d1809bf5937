/**
 * Writes the pages that are made from tables in the code: docs/errors.md, docs/configuration.md,
 * docs/logs.md and docs/config.schema.json. With --check nothing is written, and the exit code says whether they are current.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { configJsonSchema } from "../proxy/config/config.ts";
import { configSettings, type Setting, type SettingSchema } from "../proxy/config/settings.ts";
import { ERROR_ROWS } from "../proxy/errors.ts";
import { logsPage } from "./logs-doc.ts";

const ROOT = join(import.meta.dirname, "..");
const MADE = "<!-- Made by `node scripts/generate-docs.ts`: change the code, not this page. -->";

/** The pages, by their path in the repo. */
export function generatedPages(): Record<string, string> {
  return {
    "docs/errors.md": errorsPage(),
    "docs/configuration.md": configurationPage(),
    "docs/logs.md": logsPage(MADE),
    "docs/config.schema.json": `${JSON.stringify(configJsonSchema(), null, 2)}\n`,
  };
}

function errorsPage(): string {
  const rows = Object.entries(ERROR_ROWS).map(
    ([code, row]) => `| <a id="${code}"></a>\`${code}\` | ${row.status} | ${row.title} | ${row.next} |`,
  );
  return `# Errors
${MADE}

Errors that the balancer makes itself are \`application/problem+json\` (RFC 9457). \`code\` is stable: go by it, not by
the texts. \`detail\` says what was expected and what came; some errors add more, such as \`seq\` (the number of the
write). What the nodes answer, errors included, is passed on as it is.

\`\`\`json
{
  "type": "urn:lbctl:error:ack_timeout",
  "title": "${ERROR_ROWS.ack_timeout.title}",
  "status": 504,
  "detail": "expected acks from all in-sync nodes within 5s, got 2 of 3",
  "code": "ack_timeout",
  "next": "${ERROR_ROWS.ack_timeout.next}",
  "instance": "the request's X-Request-Id",
  "seq": 4711
}
\`\`\`

| code | status | title | what to do |
|---|---|---|---|
${rows.join("\n")}
`;
}

function configurationPage(): string {
  const table = configSettings().map(rowOf);
  return `# Configuration of \`lb-proxy\`
${MADE}

One file, YAML or JSON: \`lb-proxy check --config FILE\` says everything that is wrong with it at once, each with its
path (\`nodes/3/url: expected …, got …\`), and exits with 2. Unknown keys are errors.
[config.schema.json](config.schema.json) is its JSON Schema, for editors.

Durations: \`500ms\`, \`2s\`, \`5m\`, \`24h\`, \`7d\`, or a number of milliseconds. Sizes: \`64KiB\`, \`1MiB\`, \`1GiB\`, or a
number of bytes. Paths of files are relative to the config file. \`[]\` stands for each item of a list.

**Changed by** says what makes a changed value count. \`SIGHUP\`: the balancer reads the file again and goes by it from
then on, without dropping a request. \`restart\`: only a new start applies it; SIGHUP refuses the file as a whole, names
what needs the restart, and everything stays as it was (log line \`reload refused\`; \`reload\` in \`GET /api/status\`; metric
\`lb_config_last_reload_ok\`). Of a list or a map that holds other settings it is meant that it comes or goes, or gets
longer or shorter. Password files and certificates are read again at each SIGHUP, also under the same name.

| key | value | default | changed by | meaning |
|---|---|---|---|---|
${table.join("\n")}

## What has to fit together

- \`writes.sendTimeout\` is less than \`writes.ackTimeout\`; \`writes.backoff.min\` is at most \`writes.backoff.max\`.
- \`health.timeout\` is at most \`health.interval\`; a route's \`firstByteTimeout\` at most its \`timeout\`.
- \`journal.retention\`, where it is a duration, is at least \`writes.idempotencyWindow\`.
- \`journal.maxSize\` is at least four times \`limits.body\`; \`writes.minInSync\` at most the number of nodes.
- \`journal.keyFile\` and \`journal.headFile\` are outside \`dataDir\`: a key beside what it locks protects nothing, and a
  head mark that is restored together with an older copy of the journal does not give the copy away.
- Names and URLs of nodes, names of routes, the two users and all files named here differ from each other, and no
  node is the balancer itself.

## Files

\`check\`, \`run\` and SIGHUP look at the certificates, keys and password files together with the config, before
anything is made, opened or changed; what is wrong with them is said with all else. A problem is: a file that is missing
(a password file is made, if its folder is there), cannot be read, is a folder, a pipe or larger than 1 MiB; what is no
certificate or no key without a passphrase; a key that belongs to another certificate; a pair that TLS refuses; a password
that is shorter than 8 characters or longer than 1,024, or not one line of UTF-8.

Warnings, on stderr by \`check\` and in the log (\`config warnings\`) by the others: a certificate of the chain has expired
or is not valid yet; users other than a file's owner and group may read or write a key or password. With these the
balancer runs: not to serve would mend neither.

## Fixed limits

A request has at most 1,000 header fields, and a connection at most 64 requests waiting behind the one being answered.
A TLS handshake may take 10 seconds.
`;
}

function rowOf({ key, schema, forms, required, live }: Setting): string {
  const fallback = required ? requiredIn(key) : fallbackOf(schema);
  const about = (schema.description ?? "").replaceAll("|", "\\|");
  return `| \`${key}\` | ${kindOf(schema, forms)} | ${fallback} | ${live ? "SIGHUP" : "restart"} | ${about} |`;
}

function kindOf(schema: SettingSchema, forms: readonly SettingSchema[]): string {
  if (schema.unit) return `${schema.unit}, ${schema.range}`;
  return [...new Set(forms.map(simpleKind))].join(" or ");
}

function simpleKind(schema: SettingSchema): string {
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.enum) return schema.enum.map((value) => `\`${value}\``).join(", ");
  if (schema.type === "array") return "list";
  if (schema.type === "object") return "map";
  return schema.type === "boolean" ? "`true`, `false`" : "text";
}

function requiredIn(key: string): string {
  const parent = key.slice(0, key.lastIndexOf("."));
  return key.includes(".") && !key.includes("[]") ? `required in \`${parent}\`` : "required";
}

function fallbackOf({ default: given }: SettingSchema): string {
  if (given === undefined || given === null) return "—";
  return `\`${typeof given === "string" ? given : JSON.stringify(given)}\``;
}

function main(): void {
  const stale = Object.entries(generatedPages()).filter(([file, text]) => read(file) !== text);
  for (const [file, text] of stale) {
    console.log(`${process.argv.includes("--check") ? "stale" : "written"}: ${file}`);
    if (!process.argv.includes("--check")) writeFileSync(join(ROOT, file), text);
  }
  if (process.argv.includes("--check") && stale.length > 0) process.exitCode = 1;
}

function read(file: string): string | null {
  try {
    return readFileSync(join(ROOT, file), "utf8");
  } catch {
    return null;
  }
}

if (import.meta.main) main();

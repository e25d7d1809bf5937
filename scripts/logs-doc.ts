import { COMMON, LEVELS, LINES } from "../proxy/log-table.ts";

/** docs/logs.md, out of the table of lines. */
export function logsPage(made: string): string {
  return `# Logs
${made}

The balancer writes one JSON object a line to stdout (pino). \`lbctl logs\` shows them to people:

\`\`\`sh
lbctl logs                      # the last lines of all processes, by time
lbctl logs -f --node app2       # what app2 says, and what the balancer says of it, as it comes
lbctl logs --since 10m          # also: 2h, 1d, 02:13, 2026-03-09T02:13
lbctl logs --seq 42             # what is said of one write; --id for one request
lbctl logs --json               # each line as JSON, with the process that it is from (source)
\`\`\`

What never is in a log: query strings, bodies, header fields other than \`X-Request-Id\`, credentials, and messages of
errors that may quote any of these. Access lines (\`request\`) go out in blocks every 200 ms, all others at once. Nobody
waits for the reader of stdout: beyond 1 MiB that it has not taken, lines are dropped and counted
(\`lb_log_dropped_lines_total\`).

\`log.level\`, \`log.access\` and \`log.sample\` ([configuration.md](configuration.md)) say what is logged; SIGHUP applies
them without a restart. With many reads a second, \`log: { sample: 0.01 }\` keeps one line in a hundred of those that
succeeded; errors, writes, and clients that left before their reply always have theirs.

## Levels

| level | number | meaning |
|---|---|---|
${Object.entries(LEVELS)
  .map(([level, { number, about }]) => `| \`${level}\` | ${number} | ${about} |`)
  .join("\n")}

\`log.level\` takes \`trace\` and \`debug\`, too; nothing is said below \`info\`. \`silent\` hides all.

## Lines

Every line has:

${fieldTable(COMMON)}

${Object.values(LINES).map(lineSection).join("\n\n")}
`;
}

function lineSection({ msg, levels, about, fields }: (typeof LINES)[keyof typeof LINES]): string {
  return `### ${msg}\n\n*${levels.join(", ")}.* ${about}\n\n${fieldTable(fields)}`;
}

function fieldTable(fields: Readonly<Record<string, string>>): string {
  const rows = Object.entries(fields).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  return ["| field | meaning |", "|---|---|", ...rows].join("\n");
}

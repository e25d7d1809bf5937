import { type Html, html } from "../html.ts";

/** A mark that needs no request. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M2 8h4M6 8l7-5M6 8h7M6 8l7 5' stroke='%231a7f52' stroke-width='2' fill='none' stroke-linecap='round'/%3E%3C/svg%3E";

/** A whole document around a page's body. */
export function shell(title: string, body: Html, head: Html | null = null): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="${ICON}">
<link rel="stylesheet" href="/stats.css">
${head}
</head>
<body>
${body}
<footer><nav aria-label="Data">
<a href="/">Stats</a> <a href="/api/status">Status (JSON)</a> <a href="/api/history">History (JSON)</a> <a href="/;csv">CSV</a> <a href="/api/writes?pending=1">Pending writes</a> <a href="/metrics">Metrics</a>
</nav></footer>
</body>
</html>
`;
}

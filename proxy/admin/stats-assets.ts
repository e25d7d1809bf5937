/** Style and script of the stats page, as strings: they survive bundling into one file. */

export const STATS_CSS = `:root {
  color-scheme: light dark;
  --page: light-dark(#f6f7f8, #14171a);
  --card: light-dark(#ffffff, #1b1f23);
  --line: light-dark(#dfe3e6, #2e343a);
  --text: light-dark(#1c2227, #e3e7ea);
  --quiet: light-dark(#5c6770, #98a3ac);
  --faint: light-dark(#68727b, #8b969f);
  --good: light-dark(#136b43, #5fd39b);
  --good-back: light-dark(#e0f3e8, #16382a);
  --busy: light-dark(#1f5c9e, #7cb8f5);
  --busy-back: light-dark(#e2eefb, #18314b);
  --bad: light-dark(#ad1f2d, #ff8d90);
  --bad-back: light-dark(#fde7e8, #471c20);
  --off: light-dark(#6b4a00, #e6bf6a);
  --off-back: light-dark(#fbf0d6, #3d3113);
  --focus: light-dark(#1f5c9e, #7cb8f5);
}
* { box-sizing: border-box; }
body {
  margin: 0 auto;
  padding: 1rem clamp(0.75rem, 2vw, 2rem) 2rem;
  max-width: 100rem;
  background: var(--page);
  color: var(--text);
  font: 14px/1.45 system-ui, sans-serif;
  font-variant-numeric: tabular-nums;
}
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 0.75rem; margin-bottom: 1rem; }
h1 { margin: 0; font-size: 1.4rem; line-height: 1.2; overflow-wrap: anywhere; }
h1 small { margin-right: 0.15rem; font-size: 0.85em; }
h2 { margin: 1.5rem 0 0.5rem; font-size: 1rem; }
.updated { margin: 0 0 0 auto; color: var(--quiet); font-size: 0.85rem; }
.offline .updated::after { content: " · not answering, trying again"; color: var(--bad); font-weight: 600; }
.offline .facts, .offline .scroll { opacity: 0.55; }
code { font: 0.92em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
small { font-size: 0.75em; font-weight: 400; color: var(--quiet); }
.more { color: var(--quiet); font-size: 0.85rem; font-weight: 400; white-space: nowrap; }
th > .more, .why, .n > .more { display: block; }
.why { max-width: 22rem; white-space: normal; overflow-wrap: anywhere; }
.pill { display: inline-block; padding: 0 0.55rem; border-radius: 1rem; font-weight: 600; font-size: 0.85rem; line-height: 1.5rem; white-space: nowrap; }
.pill::before { content: ""; display: inline-block; width: 0.5em; height: 0.5em; margin-right: 0.4em; border-radius: 50%; background: currentColor; }
.pill.good { background: var(--good-back); }
.pill.busy { background: var(--busy-back); }
.pill.bad { background: var(--bad-back); }
.pill.off { background: var(--off-back); }
.pill.good, span.good { color: var(--good); }
.pill.busy { color: var(--busy); }
.pill.bad, span.bad { color: var(--bad); }
.pill.off { color: var(--off); }
span.good, span.bad { font-weight: 600; }
.alerts ul { margin: 0 0 1rem; padding: 0; list-style: none; border: 1px solid var(--bad); border-radius: 0.5rem; background: var(--bad-back); overflow: hidden; }
.alerts li { padding: 0.5rem 0.9rem; overflow-wrap: anywhere; }
.alerts li + li { border-top: 1px solid var(--line); }
.facts { display: grid; grid-template-columns: repeat(8, auto); margin: 0; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--card); overflow: hidden; }
.facts > div { margin: 0 0 -1px -1px; padding: 0.6rem 0.9rem; border: solid var(--line); border-width: 0 0 1px 1px; }
.facts dt { color: var(--quiet); font-size: 0.85rem; }
.facts dd { margin: 0; font-size: 1.15rem; font-weight: 600; overflow-wrap: anywhere; }
.facts .more.more { font-size: 0.85rem; font-weight: 400; white-space: normal; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--card); }
table { width: 100%; border-collapse: collapse; }
th, td { padding: 0.4rem 0.7rem; text-align: left; vertical-align: baseline; }
thead th { color: var(--quiet); font-size: 0.85rem; font-weight: 500; vertical-align: bottom; white-space: nowrap; }
thead th[colspan] { padding-bottom: 0; text-align: center; font-weight: 600; }
thead tr + tr th { padding-top: 0; }
tbody tr, tfoot tr { border-top: 1px solid var(--line); }
tbody th { font-weight: 600; white-space: nowrap; }
tbody tr.bad > :first-child { box-shadow: inset 3px 0 var(--bad); }
tbody tr.busy > :first-child { box-shadow: inset 3px 0 var(--busy); }
tbody tr.off > :first-child { box-shadow: inset 3px 0 var(--off); }
tbody tr.good > :first-child { box-shadow: inset 3px 0 var(--good); }
tfoot th, tfoot td { color: var(--quiet); font-weight: 500; }
.n { text-align: right; white-space: nowrap; }
.zero { color: var(--faint); }
.alarm { color: var(--bad); font-weight: 600; }
.warn { color: var(--off); font-weight: 600; }
.actions { white-space: nowrap; }
.button, button { display: inline-block; padding: 0.1rem 0.6rem; border: 1px solid var(--line); border-radius: 0.35rem; background: var(--page); color: var(--text); font: inherit; text-decoration: none; cursor: pointer; }
.button:hover, button:hover { border-color: var(--quiet); }
.main { border-color: var(--busy); background: var(--busy-back); color: var(--busy); font-weight: 600; }
.buttons { display: flex; gap: 0.5rem; align-items: center; }
.buttons > .button, .buttons > button { padding: 0.35rem 0.9rem; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px; }
.scroll:focus-visible { outline-offset: -2px; }
a { color: var(--busy); }
footer { margin-top: 1.5rem; font-size: 0.9rem; }
footer nav { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; }
.ask { max-width: 34rem; }
.ask h1, dialog h1 { font-size: 1.15rem; font-weight: 500; }
.warning { color: var(--bad); font-weight: 600; }
dialog { max-width: min(34rem, calc(100vw - 2rem)); padding: 1.25rem 1.5rem; border: 1px solid var(--line); border-radius: 0.6rem; background: var(--card); color: var(--text); }
dialog::backdrop { background: rgb(0 0 0 / 0.45); }
dialog p:last-child { margin-bottom: 0; }
@media (max-width: 80rem) {
  .facts { grid-template-columns: repeat(4, 1fr); }
}
/* The table of nodes no longer fits: a card for each node. */
@media (max-width: 70rem) {
  .scroll:has(> .wide) { border: 0; background: none; overflow: visible; }
  .wide, .wide tfoot { display: block; }
  .wide thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .wide tbody { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(21rem, 100%), 1fr)); gap: 0.75rem; }
  .wide tr { display: grid; grid-template-columns: repeat(4, 1fr); grid-template-rows: auto auto auto 1fr; border: 1px solid var(--line); border-radius: 0.5rem; background: var(--card); overflow: hidden; }
  .wide :is(th, td) { padding: 0.3rem 0 0.3rem 0.75rem; }
  .wide tbody tr > th { grid-column: 1 / 3; box-shadow: none; overflow: hidden; text-overflow: ellipsis; }
  .wide td[data-label="State"] { grid-column: 3 / -1; padding-right: 0.75rem; }
  .wide tr.bad { box-shadow: inset 3px 0 var(--bad); }
  .wide tr.busy { box-shadow: inset 3px 0 var(--busy); }
  .wide tr.off { box-shadow: inset 3px 0 var(--off); }
  .wide tr.good { box-shadow: inset 3px 0 var(--good); }
  .wide .n { text-align: left; }
  .wide .n::before { content: attr(data-label); display: block; color: var(--quiet); font-size: 0.75rem; font-weight: 400; }
  .wide td[data-label="Acks"] { grid-column: 1; }
  .wide td[data-label="Lag"] { grid-area: 2 / 4; }
  .wide td[data-label="Last check"] .why { display: inline; margin-left: 0.35rem; }
  .wide td[data-label="Cursor"], .wide td:not([data-label]) { display: none; }
  .wide td[data-label="Last check"], .wide td.actions { grid-column: 1 / -1; }
  .wide td.actions { padding-bottom: 0.75rem; }
  .wide tfoot tr { margin-top: 0.75rem; grid-template-rows: none; }
  .wide tfoot th { grid-column: 1 / -1; }
  .button, button { padding: 0.35rem 1rem; }
}
@media (max-width: 40rem) {
  .facts { grid-template-columns: 1fr 1fr; }
  .facts dd { font-size: 1rem; }
  .scroll:not(:has(> .wide)) thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table:not(.wide), table:not(.wide) tbody { display: block; }
  table:not(.wide) tr { display: grid; grid-template-columns: repeat(3, 1fr); padding: 0.3rem 0; }
  table:not(.wide) :is(th, td) { padding: 0.2rem 0.75rem; }
  table:not(.wide) :is(th, td:not(.n)) { grid-column: 1 / -1; }
  table:not(.wide) .n { text-align: left; }
  table:not(.wide) .n::before { content: attr(data-label); display: block; color: var(--quiet); font-size: 0.75rem; font-weight: 400; }
  footer a { padding: 0.5rem 0; }
}
@media (prefers-reduced-motion: no-preference) {
  .facts, .scroll { transition: opacity 0.3s; }
}
`;

export const STATS_JS = `// Keeps the page fresh, and asks before a node is changed. Everything works without it, by links and forms.
const EVERY = 1000;
const live = document.getElementById("live");

async function page(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(5000), headers: { accept: "text/html" } });
  if (!response.ok) throw new Error("status " + response.status);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

// Changes what differs and leaves the rest, so that focus, selection and scrolling survive.
function morph(from, to) {
  if (from.isEqualNode(to)) return;
  if (from.nodeType !== to.nodeType || from.nodeName !== to.nodeName) return from.replaceWith(to.cloneNode(true));
  if (from.nodeType === Node.TEXT_NODE) {
    from.data = to.data;
    return;
  }
  if (from.nodeType !== Node.ELEMENT_NODE) return;
  morphAttributes(from, to);
  const old = [...from.childNodes];
  const fresh = [...to.childNodes];
  fresh.forEach((child, index) => {
    if (old[index]) morph(old[index], child);
    else from.append(child.cloneNode(true));
  });
  for (const child of old.slice(fresh.length)) child.remove();
}

function morphAttributes(from, to) {
  for (const { name } of [...from.attributes]) if (!to.hasAttribute(name)) from.removeAttribute(name);
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value);
}

async function refresh() {
  if (document.hidden) return;
  try {
    morph(live, (await page("/stats/fragment")).getElementById("live"));
  } catch {
    live.classList.add("offline");
  }
}

async function loop() {
  await refresh();
  setTimeout(loop, EVERY);
}

async function ask(link) {
  const form = (await page(link.href)).querySelector("form");
  if (!form) throw new Error("no form");
  const dialog = document.createElement("dialog");
  const heading = form.querySelector("h1");
  heading.id = "question";
  dialog.setAttribute("aria-labelledby", "question");
  dialog.append(form);
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-ask]");
  const cancel = event.target.closest("dialog [data-cancel]");
  if (cancel) {
    event.preventDefault();
    cancel.closest("dialog").close();
  }
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  ask(link).catch(() => location.assign(link.href));
});

document.addEventListener("keydown", (event) => {
  if (event.key === " " && event.target.matches("a[role=button]")) {
    event.preventDefault();
    event.target.click();
  }
});

document.addEventListener("visibilitychange", refresh);
setTimeout(loop, EVERY);
`;

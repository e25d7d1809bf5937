/** Keeps the page fresh, draws the charts, asks before a node is changed. Without it, links and forms do. */
import { askInDialogs } from "./ask.ts";
import { Charts } from "./charts.ts";
import { type Link, Live } from "./live.ts";
import { morph } from "./morph.ts";
import { Past } from "./past.ts";

const WORDS: Readonly<Record<Link, string>> = {
  connecting: "connecting",
  live: "live",
  lost: "not answering, trying again; as of",
};

const page = document.getElementById("live");
const past = new Past();
const charts = new Charts(past);

function show(markup: string): void {
  const fresh = new DOMParser().parseFromString(markup, "text/html").getElementById("live");
  if (page === null || fresh === null) return;
  document.title = fresh.dataset.title ?? document.title;
  morph(page, fresh);
}

function link(state: Link): void {
  const word = document.querySelector(".link");
  if (word !== null && word.textContent !== WORDS[state]) word.textContent = WORDS[state];
  document.body.dataset.link = state;
}

askInDialogs();
new Live({
  link,
  history(answer) {
    past.load(answer);
    charts.draw();
  },
  message({ tick, page: markup }) {
    past.add(tick);
    if (markup !== "") show(markup);
    charts.draw();
  },
}).start();

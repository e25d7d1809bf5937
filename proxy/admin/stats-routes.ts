import { LbError } from "../errors.ts";
import { type AdminRoute, badRequest, type Call, type Reply } from "./admin-route.ts";
import type { Html } from "./html.ts";
import { STATS_CSS, STATS_JS } from "./stats-assets.ts";
import { confirmPage, isAction, type StatsView, statsFragment, statsPage } from "./stats-page.ts";

/** The stats page, and its buttons as pages that ask first and forms that do it. */
export const PAGES: readonly AdminRoute[] = [
  { method: "GET", path: "/", page: true, run: (call) => page(200, statsPage(viewOf(call))) },
  {
    method: "GET",
    path: "/stats/fragment",
    page: true,
    run: (call) => page(200, statsFragment(viewOf(call))),
  },
  {
    method: "GET",
    path: "/stats.css",
    run: () => ({ status: 200, type: "text/css; charset=utf-8", body: STATS_CSS }),
  },
  {
    method: "GET",
    path: "/stats.js",
    run: () => ({ status: 200, type: "text/javascript; charset=utf-8", body: STATS_JS }),
  },
  { method: "GET", path: "/nodes/:name/:action", page: true, run: ask },
  { method: "POST", path: "/nodes/:name/:action", page: true, run: act },
];

export function page(status: number, content: Html): Reply {
  return { status, type: "text/html; charset=utf-8", body: content.text };
}

function viewOf({ control, caller }: Call): StatsView {
  return { status: control.status(), ready: control.isReady(), caller, now: Date.now() };
}

function ask({ control, params }: Call): Reply {
  const status = control.status();
  const action = actionOf(params);
  const node = status.nodes.find(({ name }) => name === params.name);
  if (node === undefined)
    throw new LbError("unknown_node", `expected the name of a node, got ${params.name}`);
  return page(200, confirmPage(action, node, status));
}

async function act({ control, params, body }: Call): Promise<Reply> {
  const action = actionOf(params);
  const name = params.name ?? "";
  const force = body.form().get("force") === "1";
  await control[action](name, force);
  return { status: 303, type: "text/plain; charset=utf-8", body: "", headers: { Location: "/" } };
}

function actionOf({ action = "" }: Call["params"]) {
  if (isAction(action)) return action;
  throw badRequest("drain, ready or maint", action);
}

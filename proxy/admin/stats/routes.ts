import { LbError } from "../../errors.ts";
import { type AdminRoute, badRequest, type Call, type Reply } from "../admin-route.ts";
import type { Html } from "../html.ts";
import { type Action, isAction } from "./actions.ts";
import { askPage } from "./ask-page.ts";
import { statsAssets } from "./assets.ts";
import { statsCsv } from "./csv.ts";
import { statsPage } from "./page.ts";
import { viewOf } from "./view.ts";

/** The stats page, and its buttons as pages that ask first and forms that do it. */
export const STATS: readonly AdminRoute[] = [
  { method: "GET", path: "/", page: true, run: stats },
  { method: "GET", path: "/;csv", run: csv },
  { method: "GET", path: "/;csv;norefresh", run: csv },
  { method: "GET", path: "/stats.css", run: style },
  { method: "GET", path: "/stats.js", run: script },
  { method: "GET", path: "/nodes/:name/:action", page: true, run: ask },
  { method: "POST", path: "/nodes/:name/:action", page: true, run: act },
];

export function page(status: number, content: Html): Reply {
  return { status, type: "text/html; charset=utf-8", body: content.text };
}

function stats(call: Call): Reply {
  return page(200, statsPage(viewOf(call, call.caller)));
}

function csv(call: Call): Reply {
  return { status: 200, type: "text/plain; charset=utf-8", body: statsCsv(viewOf(call, call.caller)) };
}

async function style(): Promise<Reply> {
  return { status: 200, type: "text/css; charset=utf-8", body: (await statsAssets()).style };
}

async function script(): Promise<Reply> {
  return { status: 200, type: "text/javascript; charset=utf-8", body: (await statsAssets()).script };
}

function ask({ control, params }: Call): Reply {
  const status = control.status();
  const action = actionOf(params);
  const node = status.nodes.find(({ name }) => name === params.name);
  if (node === undefined)
    throw new LbError("unknown_node", `expected the name of a node, got ${params.name}`);
  return page(200, askPage(action, node, status));
}

async function act({ control, params, body }: Call): Promise<Reply> {
  const action = actionOf(params);
  const name = params.name ?? "";
  const form = body.form();
  await carryOut(control, action, name, form);
  return { status: 303, type: "text/plain; charset=utf-8", body: "", headers: { Location: "/" } };
}

async function carryOut(control: Call["control"], action: Action, name: string, form: URLSearchParams) {
  if (action !== "resync") return await control[action](name, form.get("force") === "1");
  const from = form.get("from") ?? "";
  return await control.resync(name, from === "" ? {} : { from });
}

function actionOf({ action = "" }: Call["params"]): Action {
  if (isAction(action)) return action;
  throw badRequest("drain, ready, maint or resync", action);
}

import type { Health, ResyncRequest } from "../api.ts";
import { historyJson } from "../history/history-json.ts";
import { type AdminRoute, badRequest, type Call, json, type Reply, type StreamReply } from "./admin-route.ts";

const MOST_WRITES = 1000;
const DEFAULT_WRITES = "100";

/** The admin API: JSON in, JSON out, all of it over `Control`. Bodies are typed in api.ts. */
export const API: readonly AdminRoute[] = [
  { method: "GET", path: "/healthz", open: true, run: () => health(true) },
  { method: "GET", path: "/readyz", open: true, run: ({ control }) => health(control.isReady()) },
  { method: "GET", path: "/metrics", run: exposition },
  { method: "GET", path: "/api/status", run: ({ control }) => json(200, control.status()) },
  { method: "GET", path: "/api/history", run: history },
  { method: "GET", path: "/api/stream", run: stream },
  { method: "POST", path: "/api/nodes/:name/drain", run: drain },
  { method: "POST", path: "/api/nodes/:name/ready", run: ready },
  { method: "POST", path: "/api/nodes/:name/maint", run: maint },
  { method: "POST", path: "/api/nodes/:name/resync", run: resync },
  { method: "POST", path: "/api/nodes/:name/resync/done", run: resyncDone },
  { method: "GET", path: "/api/writes", run: writes },
  { method: "GET", path: "/api/writes/:seq", run: write },
  { method: "POST", path: "/api/writes/:seq/retry", run: retryWrite },
  { method: "POST", path: "/api/writes/:seq/skip", run: skipWrite },
  { method: "POST", path: "/api/verify", run: verify },
];

function health(ok: boolean): Reply {
  return json(ok ? 200 : 503, { ok } satisfies Health);
}

async function exposition({ metrics, accept }: Call): Promise<Reply> {
  return { status: 200, ...(await metrics.scrape(accept)) };
}

async function history(call: Call): Promise<Reply> {
  return { status: 200, type: "application/json", body: await historyJson(call.history) };
}

function stream({ streams, caller, query }: Call): StreamReply {
  return { stream: (response) => streams.open(response, caller, query.get("after")) };
}

async function drain(call: Call): Promise<Reply> {
  return json(200, await call.control.drain(nameOf(call), flag(call, "force")));
}

async function ready(call: Call): Promise<Reply> {
  return json(200, await call.control.ready(nameOf(call), flag(call, "force")));
}

async function maint(call: Call): Promise<Reply> {
  return json(200, await call.control.maint(nameOf(call), flag(call, "force")));
}

async function resync(call: Call): Promise<Reply> {
  return json(202, await call.control.resync(nameOf(call), resyncRequest(call.body.json())));
}

async function resyncDone(call: Call): Promise<Reply> {
  return json(200, await call.control.resyncDone(nameOf(call)));
}

async function writes(call: Call): Promise<Reply> {
  return json(200, await call.control.writes(flag(call, "pending"), limitOf(call)));
}

async function write(call: Call): Promise<Reply> {
  return json(200, await call.control.write(seqOf(call)));
}

async function retryWrite(call: Call): Promise<Reply> {
  return json(200, await call.control.retryWrite(seqOf(call)));
}

async function skipWrite(call: Call): Promise<Reply> {
  return json(200, await call.control.skipWrite(seqOf(call)));
}

async function verify({ control }: Call): Promise<Reply> {
  return json(200, await control.verify());
}

function nameOf({ params }: Call): string {
  return params.name ?? "";
}

function seqOf({ params: { seq = "" } }: Call): number {
  if (/^[1-9]\d{0,14}$/.test(seq)) return Number(seq);
  throw badRequest("the number of a write", seq);
}

function limitOf({ query }: Call): number {
  const limit = query.get("limit") ?? DEFAULT_WRITES;
  if (/^\d{1,4}$/.test(limit) && Number(limit) >= 1 && Number(limit) <= MOST_WRITES) return Number(limit);
  throw badRequest(`limit to be 1 to ${MOST_WRITES}`, limit);
}

/** `?force=1`: a typing error in it must not be taken for "no". */
function flag({ query }: Call, name: string): boolean {
  const value = query.get(name);
  if (value === null || value === "0" || value === "false") return false;
  if (value === "1" || value === "true") return true;
  throw badRequest(`${name} to be 1 or 0`, value);
}

function resyncRequest({ from, manual, ...unknown }: Readonly<Record<string, unknown>>): ResyncRequest {
  const [key] = Object.keys(unknown);
  if (key !== undefined) throw badRequest("only from and manual", key);
  if (from !== undefined && typeof from !== "string")
    throw badRequest("from to be a node's name", typeof from);
  if (manual !== undefined && typeof manual !== "boolean") {
    throw badRequest("manual to be true or false", typeof manual);
  }
  return { ...(from === undefined ? {} : { from }), ...(manual === undefined ? {} : { manual }) };
}

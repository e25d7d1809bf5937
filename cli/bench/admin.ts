import { request } from "undici";
import type { Status, VerifyReport } from "../../proxy/api.ts";
import type { AdminAccess } from "./options.ts";

const TIMEOUT_MS = 30_000;

/** What the audit asks of the balancer. */
export interface BenchAdmin {
  status(): Promise<Status>;
  verify(): Promise<VerifyReport>;
}

export function benchAdmin({ url, user, password }: AdminAccess): BenchAdmin {
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  const ask = async (method: "GET" | "POST", path: string): Promise<unknown> => {
    const timeouts = { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS };
    const answer = await request(new URL(path, url), { method, headers: { authorization }, ...timeouts });
    const body = await answer.body.text();
    if (answer.statusCode === 200) return JSON.parse(body);
    throw new Error(`${method} ${path}: expected 200, got ${answer.statusCode}: ${body.slice(0, 200)}`);
  };
  return {
    status: async () => (await ask("GET", "/api/status")) as Status,
    verify: async () => (await ask("POST", "/api/verify")) as VerifyReport,
  };
}

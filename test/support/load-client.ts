/** The load's HTTP client: kept-alive connections, a deadline for each request, and what each answer means. */

import { Pool } from "undici";

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly seq: number;
}

export interface WriteRequest {
  readonly path: "/register" | "/changePassword";
  readonly fields: Readonly<Record<string, string>>;
  readonly idempotencyKey: string;
  readonly form: boolean;
}

/** Far beyond every deadline of the balancer: a client that waits for it is a failed request. */
const TIMEOUT = 15_000;

export class LoadClient {
  readonly #pool: Pool;

  constructor(url: string) {
    this.#pool = new Pool(url, { connections: 128, pipelining: 1 });
  }

  /** GET /login by HTTP Basic. */
  async login(user: string, password: string): Promise<Reply> {
    const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    return await this.#ask({ method: "GET", path: "/login", headers: { authorization } });
  }

  async write({ path, fields, idempotencyKey, form }: WriteRequest): Promise<Reply> {
    const body = form ? new URLSearchParams(fields).toString() : JSON.stringify(fields);
    const type = form ? "application/x-www-form-urlencoded" : "application/json";
    const headers = { "content-type": type, "idempotency-key": idempotencyKey };
    return await this.#ask({ method: "POST", path, headers, body });
  }

  async close(): Promise<void> {
    await this.#pool.destroy();
  }

  async #ask(options: {
    method: "GET" | "POST";
    path: string;
    headers: Record<string, string>;
    body?: string;
  }) {
    const { statusCode, headers, body } = await this.#pool.request({
      ...options,
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const text = await body.text();
    return { status: carriedOut(text) ?? statusCode, body: text, seq: Number(headers["lb-seq"] ?? 0) };
  }
}

/** The write was carried out with this status, only its answer's body is not there any more (a restart, a limit). */
function carriedOut(body: string): number | null {
  if (!body.includes('"code":"answer_too_large"')) return null;
  return Number(/"nodeStatus":(\d+)/.exec(body)?.[1] ?? 0) || null;
}

/** Refused at the door: certainly nothing was recorded. */
export function refusedUnrecorded({ status, body }: Reply): boolean {
  return (
    status === 503 &&
    /"code":"(no_in_sync_node|below_min_in_sync|journal_full|disk_full|too_many_requests_open)"/.test(body)
  );
}

export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return code === undefined ? `${error.name}: ${error.message}` : `${code}: ${error.message}`;
}

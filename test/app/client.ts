/** What the app's tests say to it. */

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  /** The body as JSON where it is JSON, else null. */
  readonly json: Record<string, unknown> | null;
  readonly text: string;
}

export async function call(url: string, init: RequestInit = {}): Promise<Reply> {
  const response = await fetch(url, init);
  const text = await response.text();
  const isJson = text !== "" && /[/+]json$/.test(response.headers.get("content-type") ?? "");
  return { status: response.status, headers: response.headers, json: isJson ? JSON.parse(text) : null, text };
}

/** POSTs a form. */
export function post(
  url: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return call(url, { method: "POST", body: new URLSearchParams(fields), headers });
}

export function login(base: string, user: string, password: string): Promise<Reply> {
  const credentials = Buffer.from(`${user}:${password}`).toString("base64");
  return call(`${base}/login`, { headers: { authorization: `Basic ${credentials}` } });
}

export const JOURNAL = "0f1e2d3c4b5a";

/** What the balancer sends along with write `seq`. */
export function delivery(seq: number, cursor = 0, journal = JOURNAL): Record<string, string> {
  return {
    "idempotency-key": `"${journal}-${seq}"`,
    "lb-seq": `${seq}`,
    "lb-cursor": `${cursor}`,
    "lb-attempt": "1",
    "lb-time": "1767323045678",
  };
}

export function register(
  base: string,
  seq: number,
  user: string,
  { password = "one", cursor = 0, journal = JOURNAL } = {},
): Promise<Reply> {
  return post(`${base}/register`, { username: user, password }, delivery(seq, cursor, journal));
}

export async function health(
  base: string,
): Promise<{ stateId: string; lastSeq: number; journal: string | null }> {
  return (await call(`${base}/healthz`)).json as never;
}

export async function digest(base: string): Promise<{ digest: string; users: number; lastSeq: number }> {
  return (await call(`${base}/lb/digest`)).json as never;
}

/** lbctl's side of the balancer's admin API. */
import { request } from "undici";
import type {
  FollowedWrite,
  NodeStatus,
  ResyncRequest,
  ResyncStarted,
  Status,
  VerifyReport,
  WriteDetails,
} from "../proxy/api.ts";
import { Hung, refusal, Stranger, Unreachable } from "./admin-errors.ts";
import { type Cluster, NoPassword, readAdminPassword } from "./cluster.ts";

/** A balancer that is up answers at once; one that hangs never does. In ms, for every call. */
const ANSWER_DEADLINE = 5_000;
/** For verify and resync, in which the balancer itself waits for nodes; one that hangs is noticed before. In ms. */
const WORK_DEADLINE = 120_000;

/** Where the balancer is asked, and as whom. */
export type AdminAccess = Pick<Cluster, "adminUrl" | "adminUser" | "adminPasswordFile">;

type Method = "GET" | "POST";

interface Content {
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

export class AdminClient {
  readonly #cluster: AdminAccess;
  readonly #signal: AbortSignal | undefined;

  /** @param signal ends what is under way */
  constructor(cluster: AdminAccess, signal?: AbortSignal) {
    this.#cluster = cluster;
    this.#signal = signal;
  }

  status(): Promise<Status> {
    return this.#call("GET", "/api/status");
  }

  /** Null: the balancer doesn't answer, or has not got as far as making its password. */
  async statusIfUp(): Promise<Status | null> {
    try {
      return await this.statusUnlessHung();
    } catch (error) {
      if (error instanceof Hung) return null;
      throw error;
    }
  }

  /** As `statusIfUp`, but one that listens and doesn't answer is an error. */
  async statusUnlessHung(): Promise<Status | null> {
    try {
      return await this.status();
    } catch (error) {
      if (error instanceof Hung) throw error;
      if (error instanceof Unreachable || error instanceof NoPassword) return null;
      throw error;
    }
  }

  /** Open to all, so that it needs no password file. */
  async isReady(): Promise<boolean> {
    try {
      return isOk(await this.#exchange("GET", "/readyz", ANSWER_DEADLINE, {}));
    } catch (error) {
      if (error instanceof Unreachable) return false;
      throw error;
    }
  }

  drain(node: string, force: boolean): Promise<NodeStatus> {
    return this.#call("POST", `/api/nodes/${node}/drain${force ? "?force=1" : ""}`);
  }

  ready(node: string, force: boolean): Promise<NodeStatus> {
    return this.#call("POST", `/api/nodes/${node}/ready${force ? "?force=1" : ""}`);
  }

  resync(node: string, how: ResyncRequest): Promise<ResyncStarted> {
    return this.#work(`/api/nodes/${node}/resync`, how);
  }

  resyncDone(node: string): Promise<NodeStatus> {
    return this.#call("POST", `/api/nodes/${node}/resync/done`);
  }

  writes(pending: boolean, limit: number): Promise<readonly FollowedWrite[]> {
    return this.#call("GET", `/api/writes?${pending ? "pending=1&" : ""}limit=${limit}`);
  }

  write(seq: number): Promise<WriteDetails> {
    return this.#call("GET", `/api/writes/${seq}`);
  }

  decideWrite(seq: number, decision: "retry" | "skip"): Promise<WriteDetails> {
    return this.#call("POST", `/api/writes/${seq}/${decision}`);
  }

  verify(): Promise<VerifyReport> {
    return this.#work("/api/verify");
  }

  async #work<T>(path: string, body?: unknown): Promise<T> {
    await this.status();
    return await this.#call("POST", path, body, WORK_DEADLINE);
  }

  async #call<T>(method: Method, path: string, body?: unknown, deadline = ANSWER_DEADLINE): Promise<T> {
    const password = await readAdminPassword(this.#cluster);
    const credentials = Buffer.from(`${this.#cluster.adminUser}:${password}`).toString("base64");
    const answer = await this.#exchange(method, path, deadline, {
      headers: { authorization: `Basic ${credentials}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const found = parseJson(answer.text);
    if (!isOk(answer)) throw refusal(this.#cluster, answer.status, found);
    if (found === undefined) throw new Stranger(this.#cluster.adminUrl, answer.status);
    return found as T;
  }

  async #exchange(method: Method, path: string, deadline: number, init: Content): Promise<Answer> {
    const { adminUrl } = this.#cluster;
    const late = AbortSignal.timeout(deadline);
    try {
      const signal = AbortSignal.any([late, ...(this.#signal ? [this.#signal] : [])]);
      // Not fetch: browsers' list of bad ports has some that a balancer may have (6000, 10080).
      const { statusCode, body } = await request(`${adminUrl}${path}`, { ...init, method, signal });
      return { status: statusCode, text: await body.text() };
    } catch (cause) {
      this.#signal?.throwIfAborted();
      throw late.aborted
        ? new Hung(adminUrl, deadline, cause, method === "POST")
        : new Unreachable(adminUrl, cause);
    }
  }
}

function isOk({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

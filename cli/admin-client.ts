/** lbctl's side of the balancer's admin API. */
import type {
  FollowedWrite,
  NodeStatus,
  Problem,
  ResyncRequest,
  ResyncStarted,
  Status,
  VerifyReport,
  WriteDetails,
} from "../proxy/api.ts";
import { type Cluster, NoPassword, readAdminPassword } from "./cluster.ts";
import { messageOf, UserError } from "./errors.ts";

/** A balancer that is up answers at once; one that is suspended never does. In ms. */
const TIMEOUT = 10_000;
/** Deliveries come to rest first, and every node reads all of its data. */
const VERIFY_TIMEOUT = 120_000;

export class AdminClient {
  readonly #cluster: Cluster;
  readonly #signal: AbortSignal | undefined;

  /** @param signal ends what is under way */
  constructor(cluster: Cluster, signal?: AbortSignal) {
    this.#cluster = cluster;
    this.#signal = signal;
  }

  status(): Promise<Status> {
    return this.#call("GET", "/api/status");
  }

  /** Null: the balancer doesn't answer, or has not got as far as making its password. */
  async statusIfUp(): Promise<Status | null> {
    try {
      return await this.status();
    } catch (error) {
      if (error instanceof Unreachable || error instanceof NoPassword) return null;
      throw error;
    }
  }

  /** Open to all, so that it needs no password file. */
  async isReady(): Promise<boolean> {
    try {
      return (await this.#fetch("GET", "/readyz", TIMEOUT, {})).ok;
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

  resync(node: string, request: ResyncRequest): Promise<ResyncStarted> {
    return this.#call("POST", `/api/nodes/${node}/resync`, request);
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
    return this.#call("POST", "/api/verify", undefined, VERIFY_TIMEOUT);
  }

  async #call<T>(method: string, path: string, body?: unknown, timeout = TIMEOUT): Promise<T> {
    const password = await readAdminPassword(this.#cluster);
    const credentials = Buffer.from(`${this.#cluster.adminUser}:${password}`).toString("base64");
    const response = await this.#fetch(method, path, timeout, {
      headers: { authorization: `Basic ${credentials}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (response.ok) return (await response.json()) as T;
    throw await this.#refusal(response);
  }

  async #fetch(method: string, path: string, timeout: number, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.#cluster.adminUrl}${path}`, {
        ...init,
        method,
        signal: AbortSignal.any([AbortSignal.timeout(timeout), ...(this.#signal ? [this.#signal] : [])]),
      });
    } catch (cause) {
      this.#signal?.throwIfAborted();
      throw new Unreachable(this.#cluster.adminUrl, cause);
    }
  }

  async #refusal(response: Response): Promise<UserError> {
    const text = await response.text();
    if (response.status === 401) {
      return new UserError(
        `expected the password in ${this.#cluster.adminPasswordFile} to be right, got 401`,
        {
          next: ["lbctl deploy   # the balancer reads the file when it starts"],
        },
      );
    }
    const problem = parseProblem(text);
    if (!problem) return new UserError(`the balancer answered ${response.status}`);
    const { detail, title, code, next } = problem;
    return new UserError(`the balancer refused: ${detail || title} (${code})`, { next: [next] });
  }
}

/** Nobody listens at the admin address, or the connection broke. */
export class Unreachable extends UserError {
  constructor(url: string, cause: unknown) {
    const reason = cause instanceof Error && cause.cause ? messageOf(cause.cause) : messageOf(cause);
    super(`expected the balancer at ${url}, got no answer${reason ? ` (${reason})` : ""}`, {
      next: [
        "lbctl status        # what is running",
        "lbctl deploy        # starts what isn't",
        "lbctl logs balancer # why it ended",
      ],
      cause,
    });
    this.name = "Unreachable";
  }
}

function parseProblem(text: string): Problem | null {
  try {
    const problem = JSON.parse(text) as Problem;
    return typeof problem.code === "string" ? problem : null;
  } catch {
    return null;
  }
}

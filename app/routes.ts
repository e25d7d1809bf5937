import type { IncomingMessage } from "node:http";
import type { DatabaseSync } from "node:sqlite";
import type { Readable } from "node:stream";
import { type Answer, ok, problem, Refusal } from "./answer.ts";
import { basicCredentials, type Fields, readFields, text, username } from "./body.ts";
import { readHealth } from "./database.ts";
import { readDelivery } from "./delivery.ts";
import { digestOf } from "./digest.ts";
import { Once } from "./once.ts";
import { exportSnapshot, importSnapshot } from "./snapshot.ts";
import { Users } from "./users.ts";

/** What the app does for each path and method. */

export type Handler = (req: IncomingMessage) => Answer | Readable | Promise<Answer>;

export interface RoutesOptions {
  readonly db: DatabaseSync;
  /** The file that `db` is open on; snapshots and digests open it again. */
  readonly file: string;
  readonly name: string;
  readonly hashCost: number;
}

type Effect = (fields: Fields, seq: number) => Answer;
type Methods = Readonly<Record<string, Handler>>;

const MAX_PASSWORD = 1024;

export class Routes {
  readonly #options: RoutesOptions;
  readonly #users: Users;
  readonly #once: Once;

  readonly #table: Readonly<Record<string, Methods>> = {
    "/register": { POST: (req) => this.#write(req, this.#register) },
    "/changePassword": { POST: (req) => this.#write(req, this.#changePassword) },
    "/login": { GET: (req) => this.#login(req) },
    "/healthz": { GET: () => ok(200, { ok: true, ...readHealth(this.#options.db) }) },
    "/lb/digest": { GET: async () => ok(200, await digestOf(this.#options.file)) },
    "/lb/snapshot": { GET: () => exportSnapshot(this.#options.file), PUT: (req) => this.#import(req) },
  };

  constructor(options: RoutesOptions) {
    this.#options = options;
    this.#users = new Users(options.db, options.hashCost);
    this.#once = new Once(options.db);
  }

  /** What carries out the request; where there is nothing, what refuses it. */
  find(req: IncomingMessage): Handler {
    const path = (req.url ?? "").split("?", 1)[0] ?? "";
    const methods =
      Object.hasOwn(this.#table, path) && !isFromOutside(req, path) ? this.#table[path] : undefined;
    const method = req.method === "HEAD" ? "GET" : (req.method ?? "");
    const handler = methods && Object.hasOwn(methods, method) ? methods[method] : undefined;
    return handler ?? (() => this.#refuse(req, methods));
  }

  readonly #register: Effect = (fields, seq) =>
    this.#users.register(username(fields), text(fields, "password", MAX_PASSWORD), seq);

  readonly #changePassword: Effect = (fields, seq) =>
    this.#users.changePassword(
      username(fields),
      text(fields, "password", MAX_PASSWORD),
      text(fields, "newPassword", MAX_PASSWORD),
      seq,
    );

  /** Reads the body first; then all happens in one transaction, a refusal of the body included. */
  async #write(req: IncomingMessage, effect: Effect): Promise<Answer> {
    const delivery = readDelivery(req.headers);
    const fields = await readFields(req).catch(asRefusal);
    return this.#once.run(delivery, (seq) => {
      try {
        return fields instanceof Refusal ? fields.answer : effect(fields, seq);
      } catch (error) {
        return asRefusal(error).answer;
      }
    });
  }

  #login(req: IncomingMessage): Answer {
    const { user, password } = basicCredentials(req.headers.authorization);
    if (this.#users.mayLogIn(user, password)) return ok(200, { username: user, node: this.#options.name });
    return problem(401, "login_failed", "expected a known user and the right password, by HTTP Basic", {
      "www-authenticate": 'Basic realm="app", charset="UTF-8"',
    });
  }

  async #import(req: IncomingMessage): Promise<Answer> {
    try {
      // By default leaving the loop early, at a bad line, would close the connection without an answer.
      await importSnapshot(this.#options.file, req.iterator({ destroyOnReturn: false }));
    } finally {
      req.resume();
    }
    return ok(200, readHealth(this.#options.db));
  }

  #refuse(req: IncomingMessage, methods: Methods | undefined): Answer {
    const answer = methods ? wrongMethod(methods) : wrongPath(Object.keys(this.#table));
    if (req.headers["lb-seq"] === undefined) return answer;
    // A refused write is an answered write: lastSeq has to count it.
    return this.#once.run(readDelivery(req.headers), () => answer);
  }
}

/**
 * What is under /lb/ is for the balancer, which asks for itself. A request that it passes on for a client has
 * X-Forwarded-For; without this check anyone could fetch the snapshot through it, hashes of passwords included.
 */
function isFromOutside(req: IncomingMessage, path: string): boolean {
  return path.startsWith("/lb/") && req.headers["x-forwarded-for"] !== undefined;
}

function wrongMethod(methods: Methods): Answer {
  const allow = Object.keys(methods).join(", ");
  return problem(405, "bad_method", `expected ${allow}`, { allow });
}

function wrongPath(paths: string[]): Answer {
  return problem(404, "no_such_path", `expected one of ${paths.join(", ")}`);
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  throw error;
}

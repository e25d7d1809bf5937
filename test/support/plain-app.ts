/** An app that knows nothing of the balancer: users in memory, no idempotency keys, nothing but its three requests. */

import type { Arrival, Behaviour, Reaction } from "./nodes.ts";

export class PlainApp {
  /** User → password. */
  readonly users = new Map<string, string>();

  readonly behaviour: Behaviour = (arrival) => this.#react(arrival);

  #react(arrival: Arrival): Reaction {
    if (arrival.url === "/register") return this.#register(fieldsOf(arrival));
    if (arrival.url === "/changePassword") return this.#change(fieldsOf(arrival));
    return this.#login(String(arrival.headers.authorization));
  }

  #register({ username = "", password = "" }: Fields): Reaction {
    if (this.users.has(username)) return { status: 409, body: "taken" };
    this.users.set(username, password);
    return { status: 201, body: "registered" };
  }

  #change({ username = "", password = "", newPassword = "" }: Fields): Reaction {
    const known = this.users.get(username);
    if (known === undefined) return { status: 404, body: "unknown" };
    if (known !== password) return { status: 403, body: "wrong password" };
    this.users.set(username, newPassword);
    return { body: "changed" };
  }

  #login(authorization: string): Reaction {
    const [user = "", password = ""] = Buffer.from(authorization.slice("Basic ".length), "base64")
      .toString()
      .split(":");
    return this.users.get(user) === password
      ? { body: "welcome" }
      : { status: 401, body: "wrong user or password" };
  }
}

type Fields = Readonly<Record<string, string>>;

function fieldsOf({ body, headers }: Arrival): Fields {
  if (headers["content-type"] === "application/json") return JSON.parse(body) as Fields;
  return Object.fromEntries(new URLSearchParams(body));
}

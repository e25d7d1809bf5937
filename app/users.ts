import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Answer, ok, problem } from "./answer.ts";
import { hashPassword, verifyPassword } from "./password.ts";

/** What this app is for. The outcome depends on the state and the request alone: no clock, no random ids. */
export class Users {
  readonly #cost: number;
  readonly #password: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  /** Checked for unknown users, so that the time taken doesn't tell whether a user exists. */
  readonly #decoy: string;

  constructor(db: DatabaseSync, cost: number) {
    this.#cost = cost;
    this.#password = db.prepare("SELECT password FROM users WHERE username = ?");
    this.#insert = db.prepare("INSERT INTO users VALUES (?, ?, ?)");
    this.#update = db.prepare("UPDATE users SET password = ?, seq = ? WHERE username = ?");
    this.#decoy = hashPassword("", cost);
  }

  register(username: string, password: string, seq: number): Answer {
    if (this.#stored(username) !== null) return problem(409, "user_taken", "this username is taken");
    this.#insert.run(username, hashPassword(password, this.#cost), seq);
    return ok(201, { username });
  }

  changePassword(username: string, password: string, newPassword: string, seq: number): Answer {
    const stored = this.#stored(username);
    if (stored === null) return problem(404, "user_unknown", "there is no such user");
    if (!verifyPassword(password, stored))
      return problem(403, "wrong_password", "password isn't the old one");
    this.#update.run(hashPassword(newPassword, this.#cost), seq, username);
    return ok(200, { username });
  }

  mayLogIn(username: string, password: string): boolean {
    const stored = this.#stored(username);
    return verifyPassword(password, stored ?? this.#decoy) && stored !== null;
  }

  #stored(username: string): string | null {
    const row = this.#password.get(username);
    return row ? String(row.password) : null;
  }
}

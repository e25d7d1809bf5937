import type { BenchUser, BenchUsers, Outcome } from "./users.ts";

/**
 * One password change, or rivals: changes sent at once from the same old password, of which exactly one can succeed
 * if the target runs one user's writes one after the other.
 */
export class PasswordChange {
  readonly user: BenchUser;
  readonly oldPassword: string;
  readonly newPasswords: readonly string[];
  readonly #users: BenchUsers;
  readonly #outcomes: Outcome[] = [];
  readonly #accepted: string[] = [];
  readonly #unknown: string[] = [];

  constructor(users: BenchUsers, user: BenchUser, count: number) {
    this.#users = users;
    this.user = user;
    this.oldPassword = user.password;
    this.newPasswords = Array.from({ length: count }, () => users.newPassword(user));
    users.take(user);
  }

  get hasRivals(): boolean {
    return this.newPasswords.length > 1;
  }

  /** One of them has ended. @returns what was wrong with all of them together, when it was the last one */
  ended(newPassword: string, outcome: Outcome): string | null {
    this.#outcomes.push(outcome);
    if (outcome === "acknowledged") this.#accepted.push(newPassword);
    if (outcome === "unknown") this.#unknown.push(newPassword);
    return this.#outcomes.length === this.newPasswords.length ? this.#decide() : null;
  }

  #decide(): string | null {
    const [winner, second] = this.#accepted;
    if (second !== undefined) {
      this.#users.leaveUncertain(this.user, this.#accepted);
      return "two rival changes from one old password both acknowledged";
    }
    // With a winner, one of unknown outcome found a wrong old password, whenever it ran.
    if (winner !== undefined) this.#users.settle(this.user, winner);
    else if (this.#unknown.length > 0) this.#users.leaveUncertain(this.user, this.#unknown);
    else {
      this.#users.settle(this.user, this.oldPassword);
      if (this.hasRivals) return "no rival change acknowledged";
    }
    return null;
  }
}

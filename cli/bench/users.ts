import { randomBytes } from "node:crypto";
import type { RequestOptions } from "./sender.ts";

/**
 * What the target said of a write. `unknown`: it may or may not be there (time-out, reset, 5xx); `refused`: it is
 * certainly not.
 */
export type Outcome = "acknowledged" | "refused" | "unknown";

/** A user of this run, and what is known of it. */
export interface BenchUser {
  readonly name: string;
  registration: Outcome | "open";
  /** The last acknowledged one. */
  password: string;
  /** Every password that was ever sent for it, in order; `password` is one of them. */
  readonly passwords: string[];
  /** Where it isn't certain that `password` is the one in force: those that may be, instead. */
  readonly maybe: string[];
  /** Moves when a write of it begins and when one ends: a login that saw it move proves nothing. */
  epoch: number;
  /** The login with `password`, preformatted. */
  login: RequestOptions;
  /** Its place among the settled; -1: a write of it is under way, or its state isn't certain. */
  place: number;
}

/** 48 random bits: no run's users are ever those of another. */
export function newRunId(): string {
  return randomBytes(6).toString("hex");
}

export function basicLogin(name: string, password: string): RequestOptions {
  const credentials = Buffer.from(`${name}:${password}`).toString("base64");
  return { method: "GET", path: "/login", headers: ["authorization", `Basic ${credentials}`] };
}

/** All users of a run, and of those the settled: no write of theirs is under way, and their password is certain. */
export class BenchUsers {
  readonly runId: string;
  readonly all: BenchUser[] = [];
  readonly #settled: BenchUser[] = [];

  constructor(runId: string) {
    this.runId = runId;
  }

  /** A new user, whose registration is under way. */
  create(): BenchUser {
    const name = `b${this.runId}-${this.all.length}`;
    const password = `${name}-pw0`;
    const user: BenchUser = {
      name,
      registration: "open",
      password,
      passwords: [password],
      maybe: [],
      epoch: 0,
      login: basicLogin(name, password),
      place: -1,
    };
    this.all.push(user);
    return user;
  }

  /** The registration of a new user has ended. */
  registered(user: BenchUser, outcome: Outcome): void {
    user.registration = outcome;
    if (outcome === "acknowledged") this.settle(user, user.password);
  }

  newPassword(user: BenchUser): string {
    const password = `${user.name}-pw${user.passwords.length}`;
    user.passwords.push(password);
    return password;
  }

  /** A settled user; of those acknowledged last when `recent`. */
  choose(random: () => number, recent: boolean): BenchUser | undefined {
    const count = this.#settled.length;
    return this.#settled[recent ? count - 1 : Math.floor(random() * count)];
  }

  /** A write of the user begins: nobody else may count on its password. */
  take(user: BenchUser): void {
    user.epoch += 1;
    const last = this.#settled.pop();
    if (last !== undefined && last !== user) {
      this.#settled[user.place] = last;
      last.place = user.place;
    }
    user.place = -1;
  }

  /** Its writes are over, and `password` is certainly in force. */
  settle(user: BenchUser, password: string): void {
    user.epoch += 1;
    if (password !== user.password) {
      user.password = password;
      user.login = basicLogin(user.name, password);
    }
    user.place = this.#settled.length;
    this.#settled.push(user);
  }

  /** Its writes are over, and any of these may be in force, or `password` still: left alone from here on. */
  leaveUncertain(user: BenchUser, maybe: readonly string[]): void {
    user.epoch += 1;
    user.maybe.push(...maybe);
  }
}

import { createHash, timingSafeEqual } from "node:crypto";
import { readPassword } from "./admin-password.ts";

export type Role = "admin" | "viewer";

/** Whom a request comes from. */
export interface Caller {
  readonly user: string;
  readonly role: Role;
}

interface Account extends Caller {
  readonly userHash: Buffer;
  readonly passwordHash: Buffer;
}

/** The part of the config that says who may come in. */
export interface AuthConfig {
  readonly user: string;
  readonly passwordFile: string;
  readonly viewer: { readonly user: string; readonly passwordFile: string } | null;
}

/** The challenge of every 401. */
export const CHALLENGE = 'Basic realm="lbctl", charset="UTF-8"';

/** Reads the password files, making those that are missing. Throws ConfigError. */
export function loadAuth({ user, passwordFile, viewer }: AuthConfig): AdminAuth {
  const admin = account("admin", user, readPassword(passwordFile, "admin/passwordFile"));
  if (viewer === null) return new AdminAuth([admin]);
  const password = readPassword(viewer.passwordFile, "admin/viewer/passwordFile");
  return new AdminAuth([admin, account("viewer", viewer.user, password)]);
}

/** Knows the accounts by their hashes only. */
export class AdminAuth {
  readonly #accounts: readonly Account[];

  constructor(accounts: readonly Account[]) {
    this.#accounts = accounts;
  }

  /**
   * Who sent these credentials; null: nobody. Takes the same time whichever part is wrong: every account is
   * compared in full, and hashing makes both sides equally long.
   */
  callerOf(authorization: string): Caller | null {
    const { user, password } = parseBasic(authorization);
    const userHash = sha256(user);
    const passwordHash = sha256(password);
    let caller: Account | null = null;
    for (const known of this.#accounts) {
      const sameUser = timingSafeEqual(known.userHash, userHash);
      const samePassword = timingSafeEqual(known.passwordHash, passwordHash);
      if (Number(sameUser) & Number(samePassword)) caller = known;
    }
    return caller && { user: caller.user, role: caller.role };
  }
}

export function account(role: Role, user: string, password: string): Account {
  return { role, user, userHash: sha256(user), passwordHash: sha256(password) };
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** RFC 7617. What is not Basic is a user and password that nobody has. */
function parseBasic(authorization: string): { user: string; password: string } {
  const [, encoded = ""] = /^basic +([A-Za-z0-9+/_-]+={0,2}) *$/i.exec(authorization) ?? [];
  const text = Buffer.from(encoded, "base64").toString("utf8");
  const colon = text.indexOf(":");
  return colon === -1
    ? { user: "", password: "" }
    : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

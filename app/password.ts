import { randomBytes, scryptSync, timingSafeEqual } from "node:crypto";

/**
 * Passwords, salted and hashed by scrypt. The cost (scrypt's N: a power of two) is a setting. The default is
 * for trying things out on one machine: about 16 µs of CPU, which doesn't hold up an attacker who has the
 * file. In production take 16384 (about 30 ms). The cost is kept with each hash, so it can be changed any time.
 */
export const DEFAULT_COST = 2;
export const MAX_COST = 2 ** 17;

const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** `scrypt$N$salt$hash`. The salt is random, so each node has another hash of the same password. */
export function hashPassword(password: string, cost: number): string {
  const salt = randomBytes(SALT_BYTES);
  return `scrypt$${cost}$${salt.toString("base64url")}$${derive(password, salt, cost).toString("base64url")}`;
}

/** Whether `stored` was made from `password`; takes equally long either way. */
export function verifyPassword(password: string, stored: string): boolean {
  const [, cost, salt, hash] = stored.split("$");
  if (cost === undefined || salt === undefined || hash === undefined) return false;
  const expected = Buffer.from(hash, "base64url");
  const actual = derive(password, Buffer.from(salt, "base64url"), Number(cost));
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** Blocks: at the default cost that is quicker than a trip to the thread pool. */
function derive(password: string, salt: Buffer, cost: number): Buffer {
  return scryptSync(password, salt, HASH_BYTES, { N: cost, r: 8, p: 1, maxmem: 2 ** 28 });
}

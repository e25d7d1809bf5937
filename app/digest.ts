import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { freeze, readHealth } from "./database.ts";

/** Rows hashed before other requests get their turn. */
const BATCH = 2_000;

export interface Digest {
  /** SHA-256, hex: equal on two nodes that have the same users, last changed by the same writes. */
  readonly digest: string;
  readonly users: number;
  readonly lastSeq: number;
}

/** Hashes who exists and which write changed them last; not the passwords, whose salts differ by node. */
export async function digestOf(file: string): Promise<Digest> {
  using db = freeze(file);
  const hash = createHash("sha256");
  let users = 0;
  for (const row of db.prepare("SELECT username, seq FROM users ORDER BY username").iterate()) {
    hash.update(`${row.username}\n${row.seq}\n`);
    users += 1;
    if (users % BATCH === 0) await turn();
  }
  return { digest: hash.digest("hex"), users, lastSeq: readHealth(db).lastSeq };
}

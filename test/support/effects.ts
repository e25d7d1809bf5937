/**
 * What the reference app really did, in order: a trigger in its own file writes down each change of a user in
 * the same transaction. Its own tables show only the last change of each user, and would hide a second one.
 */

import { DatabaseSync } from "node:sqlite";
import type { TestApp } from "./apps.ts";

/** From now on every change is noted; call before the first write. */
export function noteEffects({ dataFile }: Pick<TestApp, "dataFile">): void {
  using db = new DatabaseSync(dataFile, { timeout: 5_000 });
  db.exec(`
    CREATE TABLE IF NOT EXISTS effects (n INTEGER PRIMARY KEY, username TEXT NOT NULL, seq INTEGER NOT NULL);
    CREATE TRIGGER IF NOT EXISTS effect_insert AFTER INSERT ON users
      BEGIN INSERT INTO effects (username, seq) VALUES (new.username, new.seq); END;
    CREATE TRIGGER IF NOT EXISTS effect_update AFTER UPDATE ON users
      BEGIN INSERT INTO effects (username, seq) VALUES (new.username, new.seq); END;
  `);
}

/** The seqs that changed each user, in the order in which they took effect. */
export function effectsOf({ dataFile }: Pick<TestApp, "dataFile">): Map<string, number[]> {
  using db = new DatabaseSync(dataFile, { readOnly: true, timeout: 5_000 });
  const effects = new Map<string, number[]>();
  for (const row of db.prepare("SELECT username, seq FROM effects ORDER BY n").iterate()) {
    const seqs = effects.get(String(row.username)) ?? [];
    seqs.push(Number(row.seq));
    effects.set(String(row.username), seqs);
  }
  return effects;
}

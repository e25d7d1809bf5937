import type { DatabaseSync, StatementSync } from "node:sqlite";
import { type Answer, problem } from "./answer.ts";
import { transaction } from "./database.ts";
import type { Delivery } from "./delivery.ts";

/** Without a balancer nobody says when a key can be forgotten: this many are kept. */
const KEYS_KEPT = 10_000;

/** Carries out each write once: its effect, its key and its answer are one transaction. */
export class Once {
  readonly #db: DatabaseSync;
  readonly #find: StatementSync;
  readonly #remember: StatementSync;
  readonly #forget: StatementSync;
  readonly #journal: StatementSync;
  readonly #advance: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#find = db.prepare("SELECT status, body FROM answers WHERE key = ?");
    this.#remember = db.prepare("INSERT INTO answers VALUES (?, ?, ?, ?, ?)");
    this.#forget = db.prepare("DELETE FROM answers WHERE journal = ? AND seq <= ?");
    this.#journal = db.prepare("SELECT lastSeq, cursor FROM journals WHERE id = ?");
    // Writes of different users may come in any order, so both only ever grow.
    this.#advance = db.prepare(
      `INSERT INTO journals (id, lastSeq, cursor) VALUES (?, ?, ?) ON CONFLICT (id) DO
       UPDATE SET lastSeq = max(lastSeq, excluded.lastSeq), cursor = max(cursor, excluded.cursor)`,
    );
  }

  /**
   * Runs `effect` and keeps its answer, or gives the answer kept from the first time.
   * `effect` gets the seq that its changes are marked with; it must not wait for anything.
   */
  run(delivery: Delivery, effect: (seq: number) => Answer): Answer {
    return transaction(this.#db, () => this.#answer(delivery, effect));
  }

  #answer({ journal, seq, cursor, key }: Delivery, effect: (seq: number) => Answer): Answer {
    const known = key === null ? undefined : this.#find.get(key);
    if (known) return { status: Number(known.status), body: String(known.body) };

    const was = this.#journal.get(journal);
    const number = seq ?? Number(was?.lastSeq ?? 0) + 1;
    const upTo = Math.max(Number(was?.cursor ?? 0), seq === null ? number - KEYS_KEPT : cursor);
    // A late copy of a write that was answered long ago: what it would do now is anyone's guess.
    if (key !== null && number <= upTo) return tooLate(number, upTo);

    const answer = effect(seq ?? -number);
    if (key !== null) this.#remember.run(key, journal, number, answer.status, answer.body);
    this.#advance.run(journal, number, upTo);
    this.#forget.run(journal, upTo);
    return answer;
  }
}

/** 410: final, and no answer of any route, so that a balancer which expected another one sees the difference. */
function tooLate(seq: number, forgotten: number): Answer {
  return problem(410, "too_late", `write ${seq} was answered before; all up to ${forgotten} are forgotten`);
}

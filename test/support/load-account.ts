/** One user as the load's client knows it: one writer for each, so that what it must be is never a guess. */

/** A write that was acknowledged. */
export interface Acknowledged {
  readonly seq: number;
  readonly password: string;
}

export class Account {
  readonly name: string;
  /** In the order in which they were acknowledged; the last one is what a login must know. */
  readonly acknowledged: Acknowledged[] = [];
  /** Writes begun so far: tells whether one was begun while a read was on its way. */
  begun = 0;
  /** A write is on its way, or what became of it is not known yet. */
  pending = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Never the same twice: a login with an old one that succeeds was answered by an old state. */
  nextPassword(): string {
    return `${this.name}-v${this.acknowledged.length + 1}`;
  }

  /** The password acknowledged last; null before the register was. */
  get password(): string | null {
    return this.acknowledged.at(-1)?.password ?? null;
  }

  get oldPassword(): string | null {
    return this.acknowledged.at(-2)?.password ?? null;
  }
}

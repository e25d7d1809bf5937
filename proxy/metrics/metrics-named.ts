/** The numbers of what the config names: made and dropped as names come and go, the others stay as they are. */
export class Named<N extends { readonly name: string }, T> {
  readonly #cells = new Map<string, T>();
  readonly #kind: Kind<N, T>;

  constructor(kind: Kind<N, T>) {
    this.#kind = kind;
  }

  get(name: string): T | undefined {
    return this.#cells.get(name);
  }

  /** Holds exactly these from now on. */
  set(named: readonly N[]): void {
    const { make, stays, drop } = this.#kind;
    for (const [name, cells] of [...this.#cells]) {
      const one = named.find((other) => other.name === name);
      if (one !== undefined && stays(cells, one)) continue;
      this.#cells.delete(name);
      drop(name);
    }
    for (const one of named) if (!this.#cells.has(one.name)) this.#cells.set(one.name, make(one));
  }
}

interface Kind<N, T> {
  readonly make: (one: N) => T;
  /** It is still what it was made for. */
  readonly stays: (cells: T, one: N) => boolean;
  readonly drop: (name: string) => void;
}

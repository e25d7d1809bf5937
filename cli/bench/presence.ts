import { ask, forEachLimited } from "./ask.ts";
import { sample, seededRandom } from "./random.ts";
import { Sender } from "./sender.ts";
import { type BenchUser, basicLogin } from "./users.ts";

/** A user that a node doesn't hold as it should. */
export interface Finding {
  readonly user: string;
  readonly node: string;
  /** What was expected, and what came. */
  readonly what: string;
}

export interface NodeAddress {
  readonly name: string;
  readonly url: string;
}

export interface PresenceReport {
  /** Users looked for on every node, of all that the run made. */
  readonly users: number;
  readonly of: number;
  readonly logins: number;
  readonly missing: readonly Finding[];
  readonly unexpected: readonly Finding[];
  /** Nodes that could not be asked: nothing is known of what they hold. */
  readonly unanswered: readonly Finding[];
}

const AT_ONCE = 32;
const PER_NODE = 4;
const TRIES = 3;
const TIMEOUT_MS = 10_000;
const OLDER_LOOKED_FOR = 20;
const GIVEN_UP_AFTER = 5;

/** Logs users in on each node directly, past the balancer. */
export class Presence {
  readonly #nodes: readonly { readonly name: string; readonly sender: Sender }[];
  readonly #missing: Finding[] = [];
  readonly #unexpected: Finding[] = [];
  readonly #unanswered: Finding[] = [];
  #logins = 0;

  constructor(nodes: readonly NodeAddress[]) {
    const options = { connections: PER_NODE, timeoutMs: TIMEOUT_MS };
    this.#nodes = nodes.map(({ name, url }) => ({ name, sender: new Sender(url, options) }));
  }

  /** @param limit above so many users, a sample: those of uncertain state first, the others at random by `seed` */
  async check(
    all: readonly BenchUser[],
    { limit, seed, signal }: { limit: number; seed: number; signal: AbortSignal },
  ): Promise<PresenceReport> {
    const users = chooseUsers(all, limit, seed);
    try {
      await forEachLimited(users, AT_ONCE / PER_NODE, async (user) => {
        signal.throwIfAborted();
        await this.#checkUser(user);
      });
    } finally {
      await Promise.all(this.#nodes.map(({ sender }) => sender.close()));
    }
    return {
      users: users.length,
      of: all.length,
      logins: this.#logins,
      missing: this.#missing,
      unexpected: this.#unexpected,
      unanswered: this.#unanswered,
    };
  }

  async #checkUser(user: BenchUser): Promise<void> {
    const found = await Promise.all(
      this.#nodes.map(async ({ name, sender }) => ({
        node: name,
        password: await this.#find(sender, name, user),
      })),
    );
    const known = found.filter(({ password }) => password !== undefined);
    for (const { node, password } of known) await this.#judge(user, node, password ?? null);
    const held = new Set(known.map(({ password }) => password));
    if (!isCertain(user) && held.size > 1) {
      const what = known.map(({ node, password }) => `${node}: ${password ?? "no login"}`).join(", ");
      this.#missing.push({
        user: user.name,
        node: "all",
        what: `expected the same on every node, got ${what}`,
      });
    }
  }

  /** The first of the passwords it may have that works; null: none does; undefined: the node gave no clear answer. */
  async #find(sender: Sender, node: string, user: BenchUser): Promise<string | null | undefined> {
    // A node that hangs would make the audit last for hours.
    if (this.#unanswered.filter((finding) => finding.node === node).length >= GIVEN_UP_AFTER)
      return undefined;
    for (const password of [user.password, ...user.maybe]) {
      const status = await this.#login(sender, user, password);
      if (status === 200) return password;
      if (status !== 401) {
        this.#unanswered.push({
          user: user.name,
          node,
          what: `expected 200 or 401, got ${status || "no answer"}`,
        });
        return undefined;
      }
    }
    return null;
  }

  async #judge(user: BenchUser, node: string, password: string | null): Promise<void> {
    if (user.registration === "refused" && password !== null) {
      this.#unexpected.push({ user: user.name, node, what: "its registration was refused, but it is there" });
    }
    if (user.registration !== "acknowledged" || password !== null) return;
    const what = this.#missing.length < OLDER_LOOKED_FOR ? await this.#whatInstead(user, node) : "no login";
    this.#missing.push({ user: user.name, node, what });
  }

  /** Tells a lost registration from a lost password change. */
  async #whatInstead(user: BenchUser, node: string): Promise<string> {
    const sender = this.#nodes.find(({ name }) => name === node)?.sender;
    const expected = user.passwords.indexOf(user.password);
    for (const [index, password] of user.passwords.entries()) {
      if (sender !== undefined && (await this.#login(sender, user, password)) === 200) {
        return `expected password ${expected} (the last acknowledged), got in with password ${index}`;
      }
    }
    return "expected it to be registered, got in with none of its passwords";
  }

  /** Status; 0 when nothing came, three times. */
  async #login(sender: Sender, user: BenchUser, password: string): Promise<number> {
    let status = 0;
    for (let attempt = 0; attempt < TRIES && status !== 200 && status !== 401; attempt += 1) {
      this.#logins += 1;
      status = (await ask(sender, basicLogin(user.name, password))).status;
    }
    return status;
  }
}

function isCertain(user: BenchUser): boolean {
  return user.registration === "acknowledged" && user.maybe.length === 0;
}

function chooseUsers(all: readonly BenchUser[], limit: number, seed: number): BenchUser[] {
  if (all.length <= limit) return [...all];
  const random = seededRandom(seed);
  const uncertain = sample(
    all.filter((user) => !isCertain(user)),
    limit,
    random,
  );
  return [...uncertain, ...sample(all.filter(isCertain), limit - uncertain.length, random)];
}

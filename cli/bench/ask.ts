import { Exchange, type RequestOptions, type Sender } from "./sender.ts";

/** A single request whose end is waited for: for what is not measured. */
class Question extends Exchange {
  readonly answered: Promise<Question>;
  readonly #resolve: (question: Question) => void;

  constructor(options: RequestOptions) {
    super(options);
    const { promise, resolve } = Promise.withResolvers<Question>();
    this.answered = promise;
    this.#resolve = resolve;
  }

  protected override keepsBody(): boolean {
    return true;
  }

  protected override ended(): void {
    this.#resolve(this);
  }
}

/** Never rejects: `status` 0 and `failure` say what went wrong. */
export function ask(sender: Sender, options: RequestOptions): Promise<Exchange> {
  const question = new Question(options);
  sender.send(question);
  return question.answered;
}

/** Calls `work` for each item, at most `limit` at once. */
export async function forEachLimited<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const item = items[next] as T;
      next += 1;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
}

/** What the app answers: data first, so that an answer can be remembered and given again. */

export interface Answer {
  readonly status: number;
  /** JSON text. */
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ok(status: number, value: object): Answer {
  return { status, body: JSON.stringify(value) };
}

/** An error as RFC 9457 has it. `code` is stable and made for programs, `detail` says what was expected. */
export function problem(
  status: number,
  code: string,
  detail: string,
  headers?: Record<string, string>,
): Answer {
  const body = JSON.stringify({ title: TITLES[status] ?? "Error", status, code, detail });
  return headers ? { status, body, headers } : { status, body };
}

/** Thrown where a request can't be carried out; what the client gets is `answer`. */
export class Refusal extends Error {
  readonly answer: Answer;
  constructor(status: number, code: string, detail: string, headers?: Record<string, string>) {
    super(detail);
    this.name = "Refusal";
    this.answer = problem(status, code, detail, headers);
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: "Bad request",
  401: "Wrong user or password",
  403: "Wrong password",
  404: "Not found",
  405: "Method not allowed",
  409: "Already taken",
  410: "Already answered and forgotten",
  413: "Body too large",
  415: "Unknown kind of body",
  500: "Internal error",
  503: "Not now",
};

/** What can go wrong between lbctl and the balancer's admin API, as errors with a next step. */
import type { Problem } from "../proxy/api.ts";
import { messageOf, UserError } from "./errors.ts";

/** Nobody listens at the admin address, the connection broke, or there was no answer in time. */
export class Unreachable extends UserError {
  constructor(url: string, cause: unknown, got = noAnswer(cause), code = "balancer_unreachable") {
    super(`expected the balancer at ${url} ${got}`, {
      code,
      next: [
        "lbctl status          # what is running",
        "lbctl logs balancer   # what it did last",
        "lbctl deploy          # starts what isn't running, and waits until it is ready",
      ],
      cause,
    });
    this.name = "Unreachable";
  }
}

/** Somebody listens at the admin address, and doesn't answer. */
export class Hung extends Unreachable {
  /**
   * @param deadline ms
   * @param change what was asked for changes something: it is done, perhaps, when the balancer goes on
   */
  constructor(url: string, deadline: number, cause: unknown, change: boolean) {
    const later = change
      ? ". When it goes on it may still do what it was asked to: look at lbctl status"
      : "";
    super(
      url,
      cause,
      `to answer within ${deadline / 1000} s, got nothing: it hangs, is suspended, or has too much to do${later}`,
      "balancer_hangs",
    );
    this.name = "Hung";
  }
}

/** Somebody answers at the admin address, and not as the balancer does. */
export class Stranger extends UserError {
  constructor(url: string, status: number) {
    super(`expected the balancer at ${url}, got an answer (${status}) that is not its own`, {
      code: "not_the_balancer",
      next: ["lbctl doctor   # who listens there"],
    });
    this.name = "Stranger";
  }
}

/** The balancer's own words for why it did not do it. */
export function refusal(
  { adminUrl, adminPasswordFile }: { readonly adminUrl: string; readonly adminPasswordFile: string },
  status: number,
  answer: unknown,
): UserError {
  if (status === 401) {
    return new UserError(`expected the password in ${adminPasswordFile} to be right, got 401`, {
      code: "wrong_password",
      next: ["lbctl deploy   # the balancer reads the file when it starts"],
    });
  }
  if (!isProblem(answer)) return new Stranger(adminUrl, status);
  const { detail, title, code, next } = answer;
  return new UserError(`the balancer refused: ${detail || title} (${code})`, { code, next: [next] });
}

function noAnswer(cause: unknown): string {
  const reason = cause instanceof Error && cause.cause ? messageOf(cause.cause) : messageOf(cause);
  return `to answer, got none${reason ? ` (${reason})` : ""}`;
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "code" in value && typeof value.code === "string";
}

import { ask, forEachLimited } from "./ask.ts";
import { failureName, outcomeOf, registration } from "./exchanges.ts";
import type { Senders } from "./load-shared.ts";
import type { BenchSettings } from "./options.ts";
import type { BenchUser, BenchUsers } from "./users.ts";

export interface WarmUpReport {
  readonly registered: number;
  readonly logins: number;
  /** What went wrong → how often. */
  readonly errorKinds: Readonly<Record<string, number>>;
  readonly answersNameTheUser: boolean;
}

const AT_ONCE = 16;
const LOGINS_PER_USER = 3;

/** Registers users, so that the load has someone to log in, and logs them in, so that nothing is cold. Not measured. */
export async function warmUp(
  settings: BenchSettings,
  users: BenchUsers,
  senders: Senders,
  signal: AbortSignal,
) {
  const errors = new Map<string, number>();
  const failed = (what: string): void => void errors.set(what, (errors.get(what) ?? 0) + 1);
  const newUsers = Array.from({ length: settings.warmUpUsers }, () => users.create());
  await forEachLimited(newUsers, AT_ONCE, async (user) => {
    signal.throwIfAborted();
    const key = settings.idempotencyKeys ? user.name : null;
    const answer = await ask(senders.writes, registration(user, key));
    const outcome = outcomeOf(answer);
    users.registered(user, outcome);
    if (outcome !== "acknowledged") failed(`register: ${failureName(answer)}`);
  });
  const registered = newUsers.filter((user) => user.registration === "acknowledged");
  const logins = Array.from({ length: LOGINS_PER_USER }, () => registered).flat();
  let answered = 0;
  let named = 0;
  await forEachLimited(logins, AT_ONCE, async (user: BenchUser) => {
    signal.throwIfAborted();
    const answer = await ask(senders.reads, user.login);
    if (answer.status !== 200) return failed(`login: ${failureName(answer)}`);
    answered += 1;
    if (answer.body.includes(user.name)) named += 1;
  });
  // An app may answer without the name; one that mostly names the user but not always mixes up answers.
  const answersNameTheUser = named > answered / 2;
  if (answersNameTheUser && named < answered) failed("login: HTTP 200 with another user's answer");
  const report: WarmUpReport = {
    registered: registered.length,
    logins: logins.length,
    errorKinds: Object.fromEntries(errors),
    answersNameTheUser,
  };
  return report;
}

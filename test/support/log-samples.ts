import { LbError } from "../../proxy/errors.ts";
import { Log } from "../../proxy/log.ts";

/** A read that went well. */
export const READ = {
  id: "r1",
  client: "127.0.0.1",
  method: "GET",
  target: "/login",
  route: "one-2",
  status: 200,
  ms: 1.5,
};

/** The balancer's log, as it is written, of `sayAll`. */
export function allLines(): string[] {
  const lines: string[] = [];
  const out = { write: (line: string) => void lines.push(line.trimEnd()) };
  sayAll(new Log({ level: "info", access: true, sample: 0.5 }, out, () => 0));
  return lines;
}

/** Every kind of line, with every field that it can have. */
export function sayAll(log: Log): void {
  const error = new LbError("journal_failed", "disk");
  log.starting({ version: "1", config: "/lb.yaml", cluster: "default" });
  log.ready({ listen: "127.0.0.1:8080", admin: "127.0.0.1:1936", head: 7, nodes: 3, ms: 12 });
  log.draining({ signal: "SIGTERM", reads: 1, writes: 2 });
  log.stopped({ ms: 5, clean: true });
  log.reloaded({ changes: ["limits.body"] });
  log.reloadRefused(["nodes: expected a list"]);
  log.configWarnings(["listen/tls/cert: ends in 3 days"]);
  log.request({ ...READ, node: "app1", code: "ack_timeout", seq: 7, trace: "ab" });
  log.request({ ...READ, node: "app1" });
  log.legFailed({
    node: "app1",
    outcome: "http_5xx",
    attempt: 1,
    ms: 1,
    status: 500,
    seq: 7,
    route: "all-1",
    id: "r1",
    trace: "ab",
    reason: "other side closed",
  });
  log.nodeState("app1", "in-sync", "catching-up", "missed write 7");
  log.nodeState("app1", "in-sync", "down", "3 checks failed");
  log.nodeState("app1", "in-sync", "quarantined", "diverged");
  log.bootstrap({ node: "app1", kind: "snapshot", step: "begin", from: "app2", seq: 7 });
  log.bootstrap({ node: "app1", kind: "snapshot", step: "failed", from: "app2", seq: 7, error });
  log.divergence({ seq: 7, node: "app1", status: 409, majority: 201, id: "r1" });
  log.ambiguous({ seq: 7, node: "app1", status: 409, id: "r1" });
  log.setAside({ seq: 7, attempts: 5, reason: "reset", id: "r1" });
  log.alarm("x", {
    node: "app1",
    donor: "app2",
    seq: 7,
    status: 500,
    reason: "y",
    cursor: 6,
    first: 2,
    id: "r1",
  });
  log.traceExport(error);
  log.traceExport(null);
  log.journalFailed("the process ends", error);
  log.audit({ user: "admin", client: "127.0.0.1", action: "/api/nodes/app1/drain", status: 200 });
  log.signInFailed("127.0.0.1");
  log.bug("here", error);
  log.fatal(error);
}

import { LbError } from "../errors.ts";

/** Visible ASCII but for "#": a fragment never belongs on the wire (RFC 9112 §3.2). */
const ORIGIN_FORM = /^\/[\x21\x22\x24-\x7e]*$/;
const ABSOLUTE_FORM = /^(https?):\/\/([^/?#]*)(.*)$/is;
/** "/./" and "/../", also percent-encoded. */
const DOT_SEGMENT = /\/(?:\.|%2e){1,2}(?:[/;]|$)/i;

/**
 * The request target in origin form ("/path?query"), or "*".
 * An absolute target has to be of the host that the request is for: RFC 9112 §3.2.2 lets it win over Host,
 * some servers look at the one and some at the other. Throws bad_target.
 */
export function originTarget(url: string, method: string, scheme: string, host: string): string {
  if (ORIGIN_FORM.test(url)) return url;
  if (url === "*" && method === "OPTIONS") return url;
  const [, urlScheme = "", authority = "", rest = ""] = ABSOLUTE_FORM.exec(url) ?? [];
  if (urlScheme === "") throw refused(url);
  if (urlScheme.toLowerCase() !== scheme || authority.toLowerCase() !== host.toLowerCase()) {
    throw new LbError("bad_target", "expected a target of the host that Host names, got one of another");
  }
  if (rest === "" && method === "OPTIONS") return "*";
  const target = rest.startsWith("/") ? rest : `/${rest}`;
  if (!ORIGIN_FORM.test(target)) throw refused(target);
  return target;
}

/**
 * The path of an origin-form target. Routes match it byte by byte, so what an app may read as another path
 * (RFC 3986 §5.2.4: clients resolve dot segments, they don't send them) is refused: a write must not reach
 * one node through a path that only looks like a read's. Throws bad_target.
 */
export function pathOf(target: string): string {
  const query = target.indexOf("?");
  const path = query < 0 ? target : target.slice(0, query);
  const suspicious = path.includes("/.") || path.includes("%2");
  if (suspicious && DOT_SEGMENT.test(path)) {
    throw new LbError("bad_target", "expected a path without . and .. segments, got one with them");
  }
  if (path.includes("\\"))
    throw new LbError("bad_target", "expected a path without backslashes, got one with them");
  return path;
}

function refused(url: string): LbError {
  if (url.includes("#"))
    return new LbError("bad_target", "expected a target without a fragment, got one with #");
  if (url === "*")
    return new LbError("bad_target", "expected a path, got * with a method other than OPTIONS");
  return new LbError("bad_target", "expected a path that begins with /, of visible ASCII characters");
}

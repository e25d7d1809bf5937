/** Enough of PromQL's grammar to find what a query asks for. */

export interface Selector {
  /** As it stands in the query, without a range: `lb_writes_total{outcome="ok"}`. */
  readonly text: string;
  readonly metric: string;
  /** label → what it is compared with. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Words that are followed by a list of labels. */
const GROUPING = new Set(["by", "without", "on", "ignoring", "group_left", "group_right"]);
/** What follows a function or an aggregation. */
const CALL = new Set(["(", "by", "without"]);
const OPERATORS = new Set(["and", "or", "unless", "bool", "offset"]);

const TOKEN = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\[[^\]]*\]|\d[\w.]*|[a-zA-Z_:][\w:]*|\S/y;

/** Every selector of a query, in order. */
export function selectorsOf(query: string): Selector[] {
  const tokens = tokensOf(query);
  const found: Selector[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] ?? "";
    if (GROUPING.has(token)) {
      if (tokens[at + 1] === "(") at = tokens.indexOf(")", at);
    } else if (/^[a-zA-Z_:]/.test(token) && !OPERATORS.has(token) && !CALL.has(tokens[at + 1] ?? "")) {
      const end = tokens[at + 1] === "{" ? tokens.indexOf("}", at) : at;
      found.push(selector(token, tokens.slice(at + 1, end + 1)));
      at = end;
    }
  }
  return found;
}

function tokensOf(query: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < query.length; at = TOKEN.lastIndex) {
    if (/\s/.test(query[at] ?? "")) {
      TOKEN.lastIndex = at + 1;
      continue;
    }
    TOKEN.lastIndex = at;
    const [token = ""] = TOKEN.exec(query) ?? [];
    tokens.push(token);
  }
  return tokens;
}

/** `{ a = "x" , b =~ "y" }`, taken apart. */
function selector(metric: string, braces: readonly string[]): Selector {
  const matchers = [...braces.join("").matchAll(/(\w+)(?:=~|!~|!=|=)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/g)];
  const labels = matchers.map(([, label = "", value = ""]) => [label, value.slice(1, -1)]);
  return { text: metric + braces.join(""), metric, labels: Object.fromEntries(labels) };
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fold, orderKey } from "../../proxy/order-key.ts";

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = "application/json";

function key(
  type: string | string[],
  body: string | Buffer,
  options: { target?: string; more?: string[] } = {},
) {
  const types = [type].flat().flatMap((value) => ["Content-Type", value]);
  const headers = ["Host", "a", ...types, ...(options.more ?? [])];
  return orderKey(
    { method: "POST", target: options.target ?? "/register", headers, body: Buffer.from(body) },
    "username",
  );
}

test("the field of a form or JSON body is the key", () => {
  assert.equal(key(FORM, "password=x&username=bob"), "bob");
  assert.equal(key(FORM, "username=b%6Fb+smith&x"), "bobsmith");
  assert.equal(key(FORM, "username="), "");
  assert.equal(key(JSON_TYPE, '{"password":"x","username":"bob"}'), "bob");
  assert.equal(
    key(JSON_TYPE, ' { "user\\u006eame" : "b\\u006fb", "n": {"username": 1}, "l": ["username", "{"] } '),
    "bob",
  );
  assert.equal(key("application/vnd.api+json", '{"username":"bob"}'), "bob");
  for (const type of [
    `${FORM};charset=utf-8`,
    `${FORM}; charset="UTF-8"`,
    "Application/X-WWW-Form-Urlencoded",
  ]) {
    assert.equal(key(type, "username=bob"), "bob", type);
  }
  assert.equal(key(FORM, "username=bob", { more: ["Content-Encoding", "identity"] }), "bob");
});

const BARRIERS: [string, () => string | null][] = [
  ["no field", () => key(FORM, "user=bob")],
  ["no body", () => key(FORM, "")],
  ["a field without a value", () => key(FORM, "username")],
  ["the field twice", () => key(FORM, "username=a&username=b")],
  ["the field twice, encoded once", () => key(FORM, "username=a&user%6eame=b")],
  ["the field as a list, too", () => key(FORM, "username=a&username[]=b")],
  ["the field as a list alone", () => key(FORM, "username[]=b")],
  ["another case of the field", () => key(FORM, "Username=a")],
  ["another case of the field, too", () => key(FORM, "Username=a&username=b")],
  ["camel case of the field, too", () => key(FORM, "user_name=a&username=b")],
  ["the field in the query, too", () => key(FORM, "username=a", { target: "/register?username=b" })],
  ["the field in the query alone", () => key(FORM, "", { target: "/register?username=b" })],
  ["a semicolon, which older parsers split at", () => key(FORM, "username=a;username=b")],
  ["bad percent-encoding", () => key(FORM, "username=%zz")],
  ["bad percent-encoding in a name", () => key(FORM, "%zz=1&username=b")],
  ["percent-encoded bytes that are not UTF-8", () => key(FORM, "username=%ff")],
  ["bytes that are not UTF-8", () => key(FORM, Buffer.from("username=\xff", "latin1"))],
  ["a NUL", () => key(FORM, "username=bob%00x")],
  ["a value of more than 1,024 characters", () => key(FORM, `username=${"b".repeat(1025)}`)],
  ["more than 1,000 fields", () => key(FORM, `username=b${"&x=1".repeat(1000)}`)],
  ["another charset", () => key(`${FORM}; charset=latin1`, "username=bob")],
  ["another parameter", () => key(`${FORM}; x=1`, "username=bob")],
  ["two charsets", () => key(`${JSON_TYPE}; charset=utf-8; charset=utf-16`, '{"username":"a"}')],
  ["two content types", () => key([FORM, JSON_TYPE], "username=bob")],
  ["no content type", () => key([], "username=bob")],
  ["multipart", () => key("multipart/form-data; boundary=x", "username=bob")],
  ["text", () => key("text/plain", "username=bob")],
  ["an encoded body", () => key(FORM, "username=bob", { more: ["content-encoding", "gzip"] })],
  ["JSON that cannot be parsed", () => key(JSON_TYPE, '{"username":"bob"')],
  ["JSON with a byte order mark", () => key(JSON_TYPE, '\ufeff{"username":"bob"}')],
  ["JSON that is a list", () => key(JSON_TYPE, '[{"username":"bob"}]')],
  ["JSON null", () => key(JSON_TYPE, "null")],
  ["a member twice", () => key(JSON_TYPE, '{"username":"a","username":"b"}')],
  ["a member twice, escaped once", () => key(JSON_TYPE, '{"username":"a","user\\u006eame":"b"}')],
  [
    "a member twice, nested between",
    () => key(JSON_TYPE, '{"username":"a","x":{"y":["}\\""]},"username":"b"}'),
  ],
  ["a member in another case, too", () => key(JSON_TYPE, '{"username":"a","userName":"b"}')],
  ["a number", () => key(JSON_TYPE, '{"username":1}')],
  ["null", () => key(JSON_TYPE, '{"username":null}')],
  ["a nested member alone", () => key(JSON_TYPE, '{"user":{"username":"a"}}')],
];

test("whatever can be read in two ways is a barrier", async (t) => {
  for (const [what, run] of BARRIERS) await t.test(what, () => assert.equal(run(), null));
});

test("a field that every object inherits is not found in it", () => {
  const headers = ["Content-Type", JSON_TYPE];
  const request = { method: "POST", target: "/", headers, body: Buffer.from("{}") };
  assert.equal(orderKey(request, "constructor"), null);
  assert.equal(orderKey({ ...request, body: Buffer.from('{"__proto__":"a"}') }, "__proto__"), "a");
});

test("a form's value is the key however it is encoded", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string(), (name, other) => {
      fc.pre(name.isWellFormed() && !name.includes("\0"));
      const body = new URLSearchParams([
        ["password", other],
        ["username", name],
      ]).toString();
      assert.equal(key(FORM, body), fold(name));
    }),
  );
});

test("a JSON member is the key whatever stands around it", () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), fc.boolean(), (name, other, first) => {
      fc.pre(!name.includes("\0"));
      const entries: [string, unknown][] = [["other", other]];
      entries.splice(first ? 0 : 1, 0, ["username", name]);
      const body = JSON.stringify(Object.fromEntries(entries), null, first ? 2 : 0);
      assert.equal(key(JSON_TYPE, body), fold(name));
    }),
  );
});

test("no body makes it throw", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.constantFrom(FORM, JSON_TYPE), (body, type) => {
      const found = key(type, Buffer.from(body));
      assert.ok(found === null || typeof found === "string");
    }),
  );
});

test("spellings that an app may take for the same get one key", () => {
  for (const group of [
    ["Straße", "STRASSE", "straẞe", "strasse"],
    ["ΟΔΟΣ", "οδος", "οδοσ"],
    ["ﬁn", "fin", "FIN", "ＦＩＮ"],
    ["José", "jose\u0301", "JOSE", " jose "],
    ["\u212a", "k", "K"],
    ["İ", "i", "I", "ı"],
    ["bo\u200db", "bob"],
  ]) {
    assert.equal(new Set(group.map(fold)).size, 1, JSON.stringify(group));
  }
});

test("every character of Unicode folds like its cases and normal forms, and to a fixed point", () => {
  const forms: ((text: string) => string)[] = [
    (text) => text.toLowerCase(),
    (text) => text.toUpperCase(),
    (text) => text.toLowerCase().toUpperCase(),
    (text) => text.toUpperCase().toLowerCase(),
    (text) => text.normalize("NFC"),
    (text) => text.normalize("NFD"),
    (text) => text.normalize("NFKC").toLowerCase(),
    fold,
  ];
  const bad: string[] = [];
  for (let code = 0; code < 0x30000; code++) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const char = String.fromCodePoint(code);
    const folded = fold(char);
    for (const form of forms) {
      const other = form(char);
      if (other !== char && fold(other) !== folded) bad.push(code.toString(16));
    }
  }
  assert.deepEqual(bad, []);
});

/** Each way in which a file that the config names can be of no use. start-files.test.ts does it with the process. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileProblems, fileWarnings } from "../../../proxy/config/config-files.ts";
import type { TlsFiles } from "../../../proxy/config/tls-files.ts";
import { certificateIn } from "../../support/certificate.ts";
import { tempFolder } from "../../support/temp-folder.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Makes the file; gives nothing. */
type Make = (file: string) => void;

const UNREADABLE: Readonly<Record<string, [Make, RegExp]>> = {
  "a folder": [(file) => mkdirSync(file), /got EISDIR$/],
  "a link to itself": [(file) => symlinkSync(file, file), /got ELOOP$/],
  "a pipe": [(file) => execFileSync("mkfifo", [file]), /got a pipe or device$/],
  "a device": [(file) => symlinkSync("/dev/zero", file), /got a pipe or device$/],
  "far too large": [(file) => writeFileSync(file, Buffer.alloc(2 ** 20 + 1)), /got one of more than 1MiB$/],
};

const WRONG_PASSWORDS: Readonly<Record<string, [Make, RegExp]>> = {
  ...UNREADABLE,
  empty: [(file) => writeFileSync(file, "\n"), /expected a password of at least 8 characters, got 0$/],
  "too long": [(file) => writeFileSync(file, "x".repeat(1025)), /of at most 1024 characters, got 1025$/],
  "of two lines": [
    (file) => writeFileSync(file, "a password\nanother"),
    /on one line, got control characters$/,
  ],
  "not text": [(file) => writeFileSync(file, Buffer.from("c3c3c3c3c3c3c3c3", "hex")), /got other bytes$/],
};

const WRONG_CERTIFICATES: Readonly<Record<string, [Make, RegExp]>> = {
  ...UNREADABLE,
  missing: [() => {}, /expected a readable file at .*, got ENOENT$/],
  "empty, or anything else": [
    (file) => writeFileSync(file, ""),
    /expected a certificate in PEM at .*, got something else$/,
  ],
};

const WRONG_KEYS: Readonly<Record<string, [Make, RegExp]>> = {
  ...UNREADABLE,
  missing: [() => {}, /expected a readable file at .*, got ENOENT$/],
  "empty, or anything else": [
    (file) => writeFileSync(file, ""),
    /expected a private key in PEM .*, got something else$/,
  ],
  "locked by a passphrase": [lockedKey, /without a passphrase at .*, got something else$/],
};

function lockedKey(file: string): void {
  const options = ["-aes256", "-pass", "pass:swordfish", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  execFileSync("openssl", ["genpkey", "-algorithm", "EC", ...options, "-out", file], { stdio: "ignore" });
}

function withTls(tls: TlsFiles) {
  return { listen: { tls } };
}

function withPassword(passwordFile: string) {
  return { admin: { tls: null, passwordFile, viewer: null } };
}

function assertOne(problems: readonly string[], path: string, pattern: RegExp): void {
  const [problem = "", ...others] = problems;
  assert.deepEqual(others, []);
  assert.match(problem, pattern);
  assert.ok(problem.startsWith(`${path}: expected `), problem);
}

for (const [what, [make, pattern]] of Object.entries(WRONG_PASSWORDS)) {
  test(`a password file that is ${what} is a problem`, (t) => {
    const file = join(tempFolder(t), "file");
    make(file);
    assertOne(fileProblems(withPassword(file)), "admin/passwordFile", pattern);
  });
}

for (const [what, [make, pattern]] of Object.entries(WRONG_CERTIFICATES)) {
  test(`a certificate that is ${what} is a problem`, (t) => {
    const folder = tempFolder(t);
    const cert = join(folder, "file");
    make(cert);
    const { key } = certificateIn(folder, "lb");
    assertOne(fileProblems(withTls({ cert, key })), "listen/tls/cert", pattern);
  });
}

for (const [what, [make, pattern]] of Object.entries(WRONG_KEYS)) {
  test(`a key that is ${what} is a problem`, (t) => {
    const folder = tempFolder(t);
    const key = join(folder, "file");
    make(key);
    const { cert } = certificateIn(folder, "lb");
    assertOne(fileProblems(withTls({ cert, key })), "listen/tls/key", pattern);
  });
}

test("files that the process may not read are problems", (t) => {
  const folder = tempFolder(t);
  chmodSync(folder, 0o755);
  const { cert, key } = certificateIn(folder, "lb");
  const password = join(folder, "password");
  writeFileSync(password, "a password\n");
  for (const file of [cert, key, password]) chmodSync(file, 0);
  const problems = asNobody(() => fileProblems({ ...withTls({ cert, key }), ...withPassword(password) }));
  assert.deepEqual(problems, [
    `listen/tls/cert: expected a readable file at ${cert}, got EACCES`,
    `listen/tls/key: expected a readable file at ${key}, got EACCES`,
    `admin/passwordFile: expected a readable file at ${password}, got EACCES`,
  ]);
});

test("a missing password file is none, where it can be made", (t) => {
  const folder = tempFolder(t);
  assert.deepEqual(fileProblems(withPassword(join(folder, "password"))), []);
  const problems = fileProblems(withPassword(join(folder, "none", "password")));
  assertOne(problems, "admin/passwordFile", /expected to make a file at .*, got ENOENT$/);
});

test("the key of another certificate is a problem", (t) => {
  const folder = tempFolder(t);
  const { cert } = certificateIn(folder, "one");
  const { key } = certificateIn(folder, "two");
  assertOne(
    fileProblems(withTls({ cert, key })),
    "listen/tls/key",
    /key of the certificate in .*, got another$/,
  );
});

test("a chain that cannot be read to its end is a problem", (t) => {
  const files = certificateIn(tempFolder(t), "lb");
  appendFileSync(files.cert, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  assertOne(fileProblems(withTls(files)), "listen/tls/cert", /got something else$/);
});

test("a certificate that has expired or is not valid yet is a warning, also further up in the chain", (t) => {
  const folder = tempFolder(t);
  const files = certificateIn(folder, "lb", 2);
  const at = (ms: number) => fileWarnings(withTls(files), Date.now() + ms);
  assert.deepEqual(at(HOUR), []);
  assertOne(at(-DAY), "listen/tls/cert", /got one that is valid from \d{4}-/);
  assertOne(at(3 * DAY), "listen/tls/cert", /got one that expired on \d{4}-/);
  appendFileSync(files.cert, readFileSync(certificateIn(folder, "issuer", 1).cert));
  assert.deepEqual(at(HOUR), []);
  assertOne(at(1.5 * DAY), "listen/tls/cert", /got one that expired on \d{4}-/);
});

test("secrets are warned of by what others may do with them; a group may read them, a certificate is none", (t) => {
  const folder = tempFolder(t);
  const { cert, key } = certificateIn(folder, "lb");
  const secrets = {
    key,
    password: join(folder, "password"),
    viewer: join(folder, "viewer"),
    journal: join(folder, "journal"),
  };
  for (const file of [secrets.password, secrets.viewer, secrets.journal]) writeFileSync(file, "a password\n");
  const viewer = { passwordFile: secrets.viewer };
  const warnings = (mode: number) => {
    for (const file of Object.values(secrets)) chmodSync(file, mode);
    const admin = { tls: null, passwordFile: secrets.password, viewer };
    return fileWarnings({ ...withTls({ cert, key }), admin, journal: { keyFile: secrets.journal } });
  };
  chmodSync(cert, 0o666);
  assert.deepEqual(warnings(0o640), []);
  assert.deepEqual(
    warnings(0o644).map((warning) => warning.replace(/: expected .*, got /, " ").replace(/; .*/, "")),
    ["listen/tls/key", "admin/passwordFile", "admin/viewer/passwordFile", "journal/keyFile"].map(
      (path) => `${path} mode 0644`,
    ),
  );
});

/** Without root's right to read and write everything. */
function asNobody<T>(look: () => T): T {
  if (process.getuid?.() !== 0) return look();
  process.seteuid?.(65_534);
  try {
    return look();
  } finally {
    process.seteuid?.(0);
  }
}

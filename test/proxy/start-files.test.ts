/** The files that a config names are looked at with the config itself: by `check`, `run` and SIGHUP alike. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect } from "node:tls";
import { certificateIn } from "../support/certificate.ts";
import { runProxy, startProxy } from "../support/lb-proxy.ts";
import { tempFolder } from "../support/temp-folder.ts";

const PLAIN = {
  listen: "127.0.0.1:0",
  admin: { listen: "127.0.0.1:0" },
  nodes: [{ name: "app1", url: "http://127.0.0.1:1" }],
};

interface Place {
  readonly folder: string;
  readonly file: string;
  /** Writes the config file. */
  write(config: object): void;
}

function place(t: TestContext): Place {
  const folder = tempFolder(t);
  const file = join(folder, "lb.json");
  return { folder, file, write: (config) => writeFileSync(file, JSON.stringify(config)) };
}

/** A config whose files are wrong in every way, and what is said of each. */
function wrongFiles(folder: string): { config: object; problems: RegExp[] } {
  const [one, two] = [certificateIn(folder, "one"), certificateIn(folder, "two")];
  writeFileSync(join(folder, "short"), "hunter2\n");
  writeFileSync(join(folder, "fields"), "x-tenant: night\nhunter2\n");
  mkdirSync(join(folder, "a-folder"));
  return {
    config: {
      ...PLAIN,
      listen: { address: "127.0.0.1:0", tls: { cert: one.cert, key: two.key } },
      admin: {
        listen: "127.0.0.1:0",
        tls: { cert: "none.pem", key: "short" },
        passwordFile: "short",
        viewer: { user: "guest", passwordFile: "a-folder" },
      },
      writes: { sendTimeout: "9s" },
      tracing: { endpoint: "http://127.0.0.1:1", headersFile: "fields" },
    },
    problems: [
      /^writes\/sendTimeout: expected less than writes\/ackTimeout/,
      /^listen\/tls\/key: expected the key of the certificate in .*one\.cert\.pem, got another$/,
      /^admin\/tls\/cert: expected a readable file at .*none\.pem, got ENOENT$/,
      /^admin\/tls\/key: expected a private key in PEM without a passphrase at .*short, got something else$/,
      /^admin\/passwordFile: expected a password of at least 8 characters, got 7$/,
      /^admin\/viewer\/passwordFile: expected a readable file at .*a-folder, got EISDIR$/,
      /^tracing\/headersFile: expected "name: value" in line 2, got other text$/,
    ],
  };
}

function assertEach(problems: readonly string[], expected: readonly RegExp[]): void {
  assert.equal(problems.length, expected.length, problems.join("\n"));
  for (const pattern of expected) {
    assert.ok(
      problems.some((problem) => pattern.test(problem)),
      `${pattern} in ${problems.join("\n")}`,
    );
  }
}

for (const command of ["check", "run", "accept-journal"]) {
  test(`lb-proxy ${command}: wrong files are said with all other problems, exit code 2, nothing is made`, async (t) => {
    const { folder, file, write } = place(t);
    const { config, problems } = wrongFiles(folder);
    write(config);
    const before = readdirSync(folder);
    const { code, stdout, stderr } = await runProxy([command, "--config", file]);
    assert.equal(code, 2, stderr);
    const [first, ...lines] = stderr.trimEnd().split("\n");
    assert.equal(first, `lb-proxy: ${file} cannot be used:`);
    assertEach(
      lines.map((line) => line.trim()),
      problems,
    );
    assert.equal(stdout, "");
    assert.doesNotMatch(stderr, /hunter2/);
    assert.deepEqual(readdirSync(folder), before);
  });
}

test("SIGHUP: wrong files are said with all other problems, and nothing is made or changed", async (t) => {
  const { folder, file, write } = place(t);
  write(PLAIN);
  const proxy = await startProxy(t, file);
  const { config, problems } = wrongFiles(folder);
  write(config);
  const before = readdirSync(folder);
  const refused = proxy.nextLine(({ msg }) => msg === "reload refused");
  proxy.signal("SIGHUP");
  assertEach((await refused).problems as string[], problems);
  assert.deepEqual(readdirSync(folder), before);
});

test("SIGHUP: certificates and password stay until all of them can be used, then all are taken", async (t) => {
  const { folder, file, write } = place(t);
  const tls = certificateIn(folder, "first");
  const password = join(folder, "admin.password");
  writeFileSync(password, "first password\n", { mode: 0o600 });
  write({ ...PLAIN, listen: { address: "127.0.0.1:0", tls }, admin: { listen: "127.0.0.1:0", tls } });
  const proxy = await startProxy(t, file);
  const inUse = async () => ({
    certificates: [await subjectOf(proxy.listen), await subjectOf(proxy.admin)],
    signedIn: [await signIn(proxy.admin, "first password"), await signIn(proxy.admin, "second password")],
  });
  const reload = async () => {
    const done = proxy.nextLine(({ msg }) => msg === "reloaded" || msg === "reload refused");
    proxy.signal("SIGHUP");
    return (await done).msg;
  };
  const second = certificateIn(folder, "second");
  writeFileSync(password, "second password\n");
  renameSync(second.cert, tls.cert);
  assert.equal(await reload(), "reload refused");
  assert.deepEqual(await inUse(), { certificates: ["first", "first"], signedIn: [200, 401] });
  renameSync(second.key, tls.key);
  assert.equal(await reload(), "reloaded");
  assert.deepEqual(await inUse(), { certificates: ["second", "second"], signedIn: [401, 200] });
});

test("check makes no files, and says that a password file can't be made where it can't", async (t) => {
  const { folder, file, write } = place(t);
  write(PLAIN);
  const before = readdirSync(folder);
  assert.deepEqual(await runProxy(["check", "--config", file]), {
    code: 0,
    stdout: `${file}: ok\n`,
    stderr: "",
  });
  assert.deepEqual(readdirSync(folder), before);
  write({ ...PLAIN, admin: { passwordFile: "no/such/folder/admin.password" } });
  const { code, stderr } = await runProxy(["check", "--config", file]);
  assert.equal(code, 2);
  assert.match(stderr, /admin\/passwordFile: expected to make a file at .*admin\.password, got ENOENT/);
});

/** Nothing is wrong that would be mended by not serving. */
test("an expired certificate and secrets that others can read are warnings: by check, run and SIGHUP", async (t) => {
  const { folder, file, write } = place(t);
  const tls = certificateIn(folder, "old", -1);
  chmodSync(tls.key, 0o644);
  writeFileSync(join(folder, "admin.password"), "a password\n", { mode: 0o604 });
  writeFileSync(join(folder, "fields"), "x-tenant: night\n", { mode: 0o644 });
  const tracing = { endpoint: "http://127.0.0.1:1", headersFile: "fields" };
  write({ ...PLAIN, listen: { address: "127.0.0.1:0", tls }, tracing });
  const warnings = [
    /^listen\/tls\/cert: expected a certificate that is valid, got one that expired on \d{4}-\d\d-\d\dT/,
    /^listen\/tls\/key: expected a file that only its owner and group can use, got mode 0644/,
    /^admin\/passwordFile: expected a file that only its owner and group can use, got mode 0604/,
    /^tracing\/headersFile: expected a file that only its owner and group can use, got mode 0644/,
  ];
  const checked = await runProxy(["check", "--config", file]);
  assert.deepEqual([checked.code, checked.stdout], [0, `${file}: ok\n`]);
  const [first, ...lines] = checked.stderr.trimEnd().split("\n");
  assert.equal(first, `lb-proxy: ${file}: warnings:`);
  assertEach(
    lines.map((line) => line.trim()),
    warnings,
  );
  const proxy = await startProxy(t, file);
  const warned = ({ msg }: { msg?: string }) => msg === "config warnings";
  assertEach(proxy.lines().find(warned)?.warnings as string[], warnings);
  const again = proxy.nextLine(warned);
  proxy.signal("SIGHUP");
  assertEach((await again).warnings as string[], warnings);
});

/** Common name of the certificate that a new connection is shown. */
async function subjectOf(address: string): Promise<string> {
  const { hostname: host, port } = new URL(`https://${address}`);
  const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const { subject } = socket.getPeerCertificate();
  socket.destroy();
  return String(subject.CN);
}

/** Status of a call to the admin API. */
async function signIn(address: string, password: string): Promise<number | undefined> {
  const options = { auth: `admin:${password}`, rejectUnauthorized: false, agent: false };
  const [response] = (await once(get(`https://${address}/api/status`, options), "response")) as [
    IncomingMessage,
  ];
  response.resume();
  return response.statusCode;
}

/** Whatever is at the admin address: lbctl says what it is and what to do, and never shows a stack. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocketServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AdminClient } from "../../cli/admin-client.ts";
import { UserError } from "../../cli/errors.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { lbctlIn, markDeployed } from "./lbctl.ts";

const PROBLEM = JSON.stringify({
  code: "no_donor",
  title: "None",
  detail: "app9 is away",
  next: "lbctl status",
});

function answer(status: number, body: string, headers: Record<string, string> = {}): Peer {
  return (t) =>
    listen(
      t,
      createServer((_, response: ServerResponse) => response.writeHead(status, headers).end(body)),
    );
}

function raw(talk: (socket: Socket) => void): Peer {
  return (t) =>
    listen(
      t,
      createSocketServer(
        (socket) => void socket.on("error", () => undefined).once("data", () => talk(socket)),
      ),
    );
}

type Peer = (t: TestContext) => Promise<string>;

/** What is there, the code of the error, and what is said. */
const PEERS: readonly (readonly [string, Peer, string, RegExp])[] = [
  [
    "nobody",
    async () => "http://127.0.0.1:1",
    "balancer_unreachable",
    /to answer, got none \(.*ECONNREFUSED/,
  ],
  ["one that hangs up", raw((socket) => socket.destroy()), "balancer_unreachable", /to answer, got none \(/],
  [
    "one that resets",
    raw((socket) => socket.resetAndDestroy()),
    "balancer_unreachable",
    /to answer, got none \(/,
  ],
  [
    "one that stops in the middle",
    raw((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"head"')),
    "balancer_unreachable",
    /to answer, got none \(/,
  ],
  [
    "no HTTP",
    raw((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")),
    "balancer_unreachable",
    /to answer, got none/,
  ],
  ["a web page", answer(200, "<html>"), "not_the_balancer", /an answer \(200\) that is not its own/],
  ["another API", answer(404, '{"error":"no"}'), "not_the_balancer", /an answer \(404\) that is not its own/],
  [
    "a proxy's error",
    answer(502, "Bad Gateway"),
    "not_the_balancer",
    /an answer \(502\) that is not its own/,
  ],
  ["another password", answer(401, ""), "wrong_password", /the password in .* to be right, got 401/],
  ["a refusal", answer(409, PROBLEM), "no_donor", /the balancer refused: app9 is away \(no_donor\)/],
];

for (const [what, peer, code, message] of PEERS) {
  test(`at the admin address: ${what}`, async (t) => {
    const adminUrl = await peer(t);
    const adminPasswordFile = join(tempFolder(t), "admin.password");
    writeFileSync(adminPasswordFile, "secret");
    const admin = new AdminClient({ adminUrl, adminUser: "admin", adminPasswordFile });
    const calls = [
      () => admin.status(),
      () => admin.verify(),
      () => admin.drain("app1", false),
      () => admin.write(1),
    ];
    for (const call of calls) {
      const error = await call().then(
        () => assert.fail("it was taken"),
        (caught: unknown) => caught,
      );
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      assert.ok(error.next.length > 0);
      assert.doesNotMatch(error.message, /secret|fetch failed/);
    }
  });
}

test("with --json the error's code is there, for programs", async (t) => {
  const dir = tempFolder(t);
  const adminUrl = await answer(409, PROBLEM)(t);
  const adminPasswordFile = join(dir, "admin.password");
  writeFileSync(adminPasswordFile, "secret");
  await markDeployed(dir, {
    balancerUrl: adminUrl,
    adminUrl,
    adminUser: "admin",
    adminPasswordFile,
    nodes: [{ name: "app1", url: "http://127.0.0.1:1" }],
  });
  const { code, stdout } = await lbctlIn(dir).lbctl("nodes", "resync", "app1", "--json");
  assert.equal(code, 1);
  const { error } = JSON.parse(stdout) as { error: { code: string; next: string[] } };
  assert.deepEqual([error.code, error.next], ["no_donor", ["lbctl status"]]);
});

test("a state directory in which somebody wrote: said as that, not as a bug", async (t) => {
  const dir = tempFolder(t);
  const balancer = {
    balancerUrl: "http://h:1",
    adminUrl: "http://h:2",
    adminUser: "a",
    adminPasswordFile: "x",
  };
  const state = await markDeployed(dir, { ...balancer, nodes: [] });
  writeFileSync(state.proxyConfig, "{ torn");
  const { code, stderr } = await lbctlIn(dir).lbctl("verify");
  assert.equal(code, 1);
  assert.match(stderr, /^lbctl: expected JSON in .*proxy\.json, got something else\n\nNext:\n/);
});

async function listen(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

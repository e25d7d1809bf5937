import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, lstat, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadClusterConfig } from "../../cli/config-file.ts";
import { UserError } from "../../cli/errors.ts";
import { withNodeCount, writeNodeCount } from "../../cli/node-count.ts";
import { CONFIG_TEMPLATE } from "../../cli/tools/config-template.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { runLbctl } from "./lbctl.ts";

/** lbctl.yaml, and a line that must be among its problems. */
const WRONG: readonly (readonly [string, RegExp])[] = [
  ["name: A", /^name: expected a-z, 0-9 and -.*, got "A"$/],
  [`name: ${"a".repeat(33)}`, /^name: expected .*at most 32/],
  ["name: [a]", /^name: expected .*, got \["a"\]$/],
  ["target: gcp", /^target: expected local, hosts, aws, got "gcp"$/],
  ["nodes: 0", /^nodes: expected a whole number from 1 to 9 .*, got 0$/],
  ["nodes: 10", /^nodes: expected a whole number from 1 to 9 \(every write goes to every node.*, got 10$/],
  ["nodes: -1", /^nodes: .*, got -1$/],
  ["nodes: 3.5", /^nodes: .*, got 3.5$/],
  ["nodes: seven", /^nodes: .*, got "seven"$/],
  ["nodes: [1]", /^nodes: .*, got \[1\]$/],
  [
    "node: 3",
    /^node: expected only name, target, nodes, ports, admin, monitoring, tls, hosts, app, proxy, aws, got an unknown key$/,
  ],
  ["ports: 8080", /^ports: expected a mapping like .*, got 8080$/],
  ["ports: { traffic: x }", /^ports\/traffic: expected a port from 1 to 65535, got "x"$/],
  ["ports: { admin: 70000 }", /^ports\/admin: expected a port from 1 to 65535, got 70000$/],
  ["ports: { apps: 65530 }", /^ports\/apps: expected a port from 1 to 65527, got 65530$/],
  [
    "ports: { web: 1 }",
    /^ports\/web: expected only traffic, admin, apps, prometheus, nodeExporter, grafana, got an unknown key$/,
  ],
  ["ports: { traffic: 1936 }", /^ports\/admin: expected another port than traffic, got 1936$/],
  ["ports: { traffic: 4570 }", /^ports\/traffic: expected a port outside 4567–4575 .*, got 4570$/],
  ["ports: { grafana: 0 }", /^ports\/grafana: expected a port from 1 to 65535, got 0$/],
  ["ports: { prometheus: 8080 }", /^ports\/prometheus: expected another port than traffic, got 8080$/],
  ["ports: { grafana: 4570 }", /^ports\/grafana: expected a port outside 4567–4575 .*, got 4570$/],
  ["monitoring: true", /^monitoring: expected auto, off, got true$/],
  ["admin: { user: 'a:b' }", /^admin\/user: expected a name without colon or space, got "a:b"$/],
  ["proxy: 3", /^proxy: expected a mapping of lb-proxy settings, got 3$/],
  ["proxy: { listen: x }", /^proxy\/listen: expected it to be set by ports\/traffic/],
  ["proxy: { nodes: [] }", /^proxy\/nodes: expected it to be set by nodes/],
  ["proxy: { foo: 1 }", /^proxy\/foo: expected only .*, got an unknown key$/],
  ["proxy: { ack: most }", /^proxy\/ack: expected one of all, quorum, one, got "most"$/],
  ["proxy: { ack: one, routes: [] }", /^proxy\/ack: expected the ack policy in proxy\/routes/],
  ["proxy: { health: { interval: fast } }", /^proxy\/health\/interval: expected a duration/],
  ["proxy: { limits: { body: -1 } }", /^proxy\/limits\/body: expected a size/],
  ["proxy: { writes: { sendTimeout: 9s, ackTimeout: 5s } }", /^proxy\/writes\//],
  ["- a list", /^the file: expected a mapping like nodes: 3, got \["a list"\]$/],
  ["just text", /^the file: expected a mapping like nodes: 3, got "just text"$/],
  ["42", /^the file: expected a mapping like nodes: 3, got 42$/],
  ["nodes: 3\nports: {}\nnodes: 4", /^line 3, column 1: expected each key once, got nodes again$/],
  ["ports: { admin: 1, admin: 2 }", /^line 1, column 20: expected each key once, got admin again$/],
  ["nodes: [", /^line 1, column 9: expected YAML, got: \S/],
  ["ports:\n\t- 1", /^line 2, column 1: expected YAML, got: Tabs are not allowed/],
  ["---\nnodes: 3\n---\nnodes: 4", /^line 3, column 1: expected one document, got another$/],
  ["nodes: *three", /^line 1, column 8: expected an anchor for \*three before it, got none$/],
  ["nodes: !three 3", /^line 1, column 8: expected YAML, got: Unresolved tag/],
  ["? [nodes]\n: 3", /^line 1, column 3: expected a plain word for a key, got something else$/],
  ['"": 3', /^"": expected only name, .*, got an unknown key$/],
  ["target: hosts", /^hosts: expected a mapping like .*, got nothing$/],
  ["hosts: { balancer: a, apps: [b] }", /^hosts: expected only with target: hosts, got it with local$/],
  ["app: none", /^app: expected reference with target local, got none$/],
  ["app: 3", /^app: expected reference, none, or a mapping like .*, got 3$/],
  [hosts("apps: [b]"), /^hosts\/balancer: expected an address.*, got nothing$/],
  [hosts("balancer: a"), /^hosts\/apps: expected a list of 1 to 9 hosts, got nothing$/],
  [hosts("balancer: a, apps: []"), /^hosts\/apps: expected a list of 1 to 9 hosts, got \[\]$/],
  [
    hosts("balancer: -oProxyCommand=x, apps: [b]"),
    /^hosts\/balancer\/address: expected an address like .*, got /,
  ],
  [
    hosts("balancer: a, apps: [b, { address: c, users: x }]"),
    /^hosts\/apps\/1\/users: expected only address, inside, user, port, key, got an unknown key$/,
  ],
  [
    hosts("balancer: a, apps: [b, A]"),
    /^hosts\/apps\/1: expected a host of its own, got that of hosts\/balancer/,
  ],
  [
    `app: { directory: ., command: "node a.js\\nnode b.js\\n" }\n${hosts("balancer: a, apps: [b]")}`,
    /^app\/command: expected one line, got 2: put them into a script in the app's directory$/,
  ],
  [
    `nodes: 3\n${hosts("balancer: a, apps: [b, c]")}`,
    /^nodes: expected at most the 2 listed in hosts\/apps, got 3: list 1 more there$/,
  ],
  [
    hosts("balancer: a, apps: [b], ssh: { port: 0 }"),
    /^hosts\/ssh\/port: expected a port from 1 to 65535, got 0$/,
  ],
  [
    hosts("balancer: a, apps: [b], ssh: { hostKeys: all }"),
    /^hosts\/ssh\/hostKeys: expected known, accept-new, got "all"$/,
  ],
  [hosts("balancer: a, apps: [b], ssh: { jump: '-x' }"), /^hosts\/ssh\/jump: expected a host to jump by/],
  [
    hosts("balancer: a, apps: [b], adminAddresses: [x]"),
    /^hosts\/adminAddresses\/0: expected an address or a block/,
  ],
  [
    hosts("balancer: a, apps: [b], adminAddresses: [10.0.0.0/99]"),
    /^hosts\/adminAddresses\/0: expected an address or a block/,
  ],
  [
    hosts("balancer: a, apps: [b], adminAddresses: [10.0.1.0/16]"),
    /^hosts\/adminAddresses\/0: expected a block by its first address: 10\.0\.0\.0\/16, or only 10\.0\.1\.0, got/,
  ],
  [
    hosts("balancer: a, apps: [b], monitoring: { grafana: artifacts }"),
    /^hosts\/monitoring\/artifacts: expected a folder with packages, got nothing$/,
  ],
  ["tls: { cert: a.pem }", /^tls\/key: expected a file in PEM, got nothing$/],
  ["tls: on", /^tls: expected a mapping like \{ cert: fullchain\.pem, key: privkey\.pem \}/],
  [
    "tls: { cert: a.pem, key: b.pem }",
    /^tls: expected only with target hosts or aws, got it with local, which listens on loopback$/,
  ],
];

function hosts(section: string): string {
  return `target: hosts\nhosts: { ${section} }`;
}

for (const [yaml, expected] of WRONG) {
  test(`lbctl.yaml is refused: ${JSON.stringify(yaml).slice(0, 60)}`, async (t) => {
    const { problems, exitCode } = await refusal(await configFile(tempFolder(t), yaml));
    assert.equal(exitCode, 2);
    assert.ok(
      problems.some((problem) => expected.test(problem)),
      `${expected} in ${JSON.stringify(problems)}`,
    );
  });
}

test("target hosts: traffic on port 80, ssh as the user's own config says, a short form for each host", async (t) => {
  const yaml =
    "target: hosts\nhosts:\n  balancer: 10.0.0.10\n  apps: [10.0.0.11, { address: app2.example.org, port: 2222 }]\n";
  const { ports, hosts: found, app } = await loadClusterConfig(await configFile(tempFolder(t), yaml));
  assert.equal(ports.traffic, 80);
  assert.deepEqual(app, { kind: "reference" });
  assert.deepEqual(found?.apps[1], {
    address: "app2.example.org",
    inside: null,
    user: null,
    port: 2222,
    key: null,
  });
  assert.equal(found?.ssh.hostKeys, "known");
});

test("with a certificate the traffic is on port 443, if no other is named; its files are beside lbctl.yaml", async (t) => {
  const yaml = `${hosts("balancer: a, apps: [b]")}\ntls: { cert: tls/chain.pem, key: ~/key.pem }\n`;
  const dir = tempFolder(t);
  const { ports, tls } = await loadClusterConfig(await configFile(dir, yaml));
  assert.equal(ports.traffic, 443);
  assert.deepEqual(tls, { cert: join(dir, "tls/chain.pem"), key: join(homedir(), "key.pem") });
  const named = await loadClusterConfig(await configFile(dir, `${yaml}ports: { traffic: 8443 }\n`));
  assert.equal(named.ports.traffic, 8443);
});

test("every problem is said at once, with its path", async (t) => {
  const yaml =
    "name: A\nnodes: 12\nfoo: 1\nports: { traffic: x }\nproxy: { cluster: y, limits: { body: x } }\n";
  const { problems, message } = await refusal(await configFile(tempFolder(t), yaml));
  assert.deepEqual(problems.map((problem) => problem.split(":")[0]).sort(), [
    "foo",
    "name",
    "nodes",
    "ports/traffic",
    "proxy/cluster",
    "proxy/limits/body",
  ]);
  assert.match(message, /^lbctl.yaml has 6 problems$/);
});

test("without a file the defaults hold", async (t) => {
  const dir = tempFolder(t);
  const before = process.cwd();
  process.chdir(dir);
  try {
    const config = await loadClusterConfig();
    const found = { prometheus: null, nodeExporter: null, grafana: null };
    assert.deepEqual(config.ports, { traffic: 8080, admin: 1936, apps: 4567, ...found });
    assert.equal(config.monitoring, "auto");
    assert.equal(config.file, null);
    assert.equal(config.name, "default");
  } finally {
    process.chdir(before);
  }
});

test("an empty file, or one of comments, is all defaults", async (t) => {
  for (const text of ["", "\n", "# nothing\n", "---\n"]) {
    assert.equal((await loadClusterConfig(await configFile(tempFolder(t), text))).ports.traffic, 8080);
  }
});

test("what is no file, or can't be read, is refused with what it is and what to do", async (t) => {
  const dir = tempFolder(t);
  const at = (name: string) => join(dir, name);
  await mkdir(at("folder"));
  await symlink(at("nowhere"), at("dangling"));
  await symlink(at("loop"), at("loop"));
  execFileSync("mkfifo", [at("pipe")]);
  const found: readonly (readonly [string, RegExp, RegExp])[] = [
    [at("lbctl.yaml"), /^expected a config file at .*, got ENOENT$/, /^lbctl init/],
    [at("folder"), /^expected a config file at .*, got a directory$/, /--config .*folder\/lbctl\.yaml$/],
    [at("pipe"), /^expected a config file at .*, got something that is no file$/, /^name a file/],
    ["/dev/null", /^expected a config file at .*, got something that is no file$/, /^name a file/],
    [at("dangling"), /^expected a config file at .*, got a link to what is not there$/, /^ls -l /],
    [at("loop"), /^expected a config file at .*, got ELOOP$/, /^ls -l /],
  ];
  for (const [file, message, next] of found) {
    const error = await refusal(file);
    assert.match(error.message, message);
    assert.match(error.next[0] ?? "", next);
    assert.equal(error.exitCode, 2);
  }
});

test("a link to nowhere is no missing file: the defaults are not what was meant", async (t) => {
  const dir = tempFolder(t);
  await symlink(join(dir, "nowhere"), join(dir, "lbctl.yaml"));
  const { code, stderr } = await runLbctl(dir, ["plan"]);
  assert.equal(code, 2);
  assert.match(stderr, /got a link to what is not there/);
});

test("an lbctl.yaml that cannot be written is an error with its next step, and stays as it is", async (t) => {
  // As long as a name may be: there is no room for the temporary file's.
  const file = join(tempFolder(t), `${"x".repeat(250)}.yaml`);
  await writeFile(file, "nodes: 3\n");
  const error = await writeNodeCount(file, 5).catch((caught: unknown) => caught);
  assert.ok(error instanceof UserError, String(error));
  assert.match(error.message, /^expected to be able to write nodes: 5 into .*, got ENAMETOOLONG$/);
  assert.match(error.next.join(), /nothing has changed/);
  assert.equal(await readFile(file, "utf8"), "nodes: 3\n");
});

test("the template that init writes says the defaults", async (t) => {
  const config = await loadClusterConfig(await configFile(tempFolder(t), CONFIG_TEMPLATE));
  const bare = await loadClusterConfig(await configFile(tempFolder(t), ""));
  assert.deepEqual({ ...config, file: "", dir: "", nodes: 3 }, { ...bare, file: "", dir: "", nodes: 3 });
});

test("the template's commented settings are right, too", async (t) => {
  const all = CONFIG_TEMPLATE.replace("proxy: {}", "proxy:").replaceAll(/^# {2}(?=\w)/gm, "  ");
  const { proxy, ports } = await loadClusterConfig(await configFile(tempFolder(t), all));
  assert.deepEqual([ports.prometheus, ports.nodeExporter, ports.grafana], [9090, 9100, 3000]);
  assert.deepEqual(Object.keys(proxy), ["ack", "health", "writes", "limits", "log"]);
});

test("the number of nodes is written without touching anything else", () => {
  const text = "# top\nnodes: 3   # three\n\nports: { traffic: 1,   admin: 2 } # odd   spacing\n";
  assert.equal(withNodeCount(text, 7), text.replace("nodes: 3 ", "nodes: 7 "));
});

test("the number of nodes is added where it is missing, and comments stay", () => {
  assert.match(withNodeCount("# top\nname: x # mine\n# end\n", 4), /^# top\nname: x # mine\nnodes: 4\n/);
  assert.match(withNodeCount("", 4), /^nodes: 4\n$/);
  assert.match(withNodeCount("# only\n", 4), /^# only\n\s*nodes: 4\n$/);
});

test("the file keeps its permissions, and a link to it stays one", async (t) => {
  const dir = tempFolder(t);
  const file = await configFile(dir, "nodes: 3\n");
  await chmod(file, 0o640);
  await symlink(file, join(dir, "link.yaml"));
  await writeNodeCount(join(dir, "link.yaml"), 5);
  assert.equal(await readFile(file, "utf8"), "nodes: 5\n");
  assert.equal((await stat(file)).mode & 0o777, 0o640);
  assert.ok((await lstat(join(dir, "link.yaml"))).isSymbolicLink());
});

async function configFile(dir: string, yaml: string): Promise<string> {
  const file = join(dir, "lbctl.yaml");
  await writeFile(file, yaml);
  return file;
}

async function refusal(file: string): Promise<UserError> {
  try {
    await loadClusterConfig(file);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error;
  }
  assert.fail("it was taken");
}

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hasScreen } from "../../cli/browser.ts";
import type { StatePaths } from "../../cli/state.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { lbctlIn, markDeployed, type Ran, run } from "./lbctl.ts";

const STATS_PAGE = "http://127.0.0.1:1936";

test("on a terminal with a screen the stats page is opened; the address is printed, too", async (t) => {
  const bed = await makeBed(t);
  const { code, stdout } = await bed.onTerminal({ DISPLAY: ":7" });
  assert.equal(code, 0, stdout);
  assert.equal(bed.opened(), `${STATS_PAGE}\n`);
  assert.match(
    stdout,
    /Stats page {3}http:\/\/127\.0\.0\.1:1936 {3}user admin, password in\r\n.*admin\.password'\r\n/,
  );
  assert.match(stdout, /opened http:\/\/127\.0\.0\.1:1936\r\n/);
});

test("Grafana is opened instead where it answers", async (t) => {
  const bed = await makeBed(t);
  const port = await grafanaAnswers(t, 200);
  choose(bed.state, port);
  await bed.onTerminal({ WAYLAND_DISPLAY: "wayland-0" });
  assert.equal(bed.opened(), `http://127.0.0.1:${port}/d/lbctl-overview\n`);
});

test("a Grafana that is not ready is shown as such, and the stats page is opened", async (t) => {
  const bed = await makeBed(t);
  choose(bed.state, await grafanaAnswers(t, 503));
  const { stdout } = await bed.onTerminal({ DISPLAY: ":7" });
  assert.match(stdout, /Grafana .*does not answer: lbctl logs grafana/);
  assert.equal(bed.opened(), `${STATS_PAGE}\n`);
});

test("without a screen, without a terminal, with --no-open and with --json nothing is opened", async (t) => {
  const bed = await makeBed(t);
  await bed.onTerminal({});
  await bed.onTerminal({ DISPLAY: ":7" }, "--no-open");
  await bed.onTerminal({ DISPLAY: ":7" }, "--json");
  assert.equal(bed.opened(), null);
  assert.ok(hasScreen(true, { DISPLAY: ":7", PATH: bed.bin }));
  assert.ok(!hasScreen(false, { DISPLAY: ":7", PATH: bed.bin }), "no terminal");
  assert.ok(!hasScreen(true, { DISPLAY: ":7", PATH: bed.folder }), "no xdg-open");
});

test("a browser that can't be started is told of, and the address is there all the same", async (t) => {
  const bed = await makeBed(t, "exit 3");
  const { code, stdout } = await bed.onTerminal({ DISPLAY: ":7" });
  assert.equal(code, 0);
  assert.match(stdout, /Stats page {3}http/);
  assert.match(stdout, /expected a browser to take the page, got none: open it by hand/);
});

test("--json has all addresses, and where the password is, not the password", async (t) => {
  const bed = await makeBed(t);
  assert.deepEqual(await lbctlIn(bed.folder).json("dashboard"), {
    url: STATS_PAGE,
    user: "admin",
    passwordFile: join(bed.folder, "admin.password"),
    dashboards: [],
  });
});

interface Bed {
  readonly folder: string;
  readonly state: StatePaths;
  /** Holds an xdg-open that writes down what it is to open. */
  readonly bin: string;
  /** `lbctl dashboard` in a terminal of its own. */
  onTerminal(screen: Readonly<Record<string, string>>, ...flags: string[]): Promise<Ran>;
  opened(): string | null;
}

async function makeBed(t: TestContext, opener = 'echo "$1" >> "$OPENED"'): Promise<Bed> {
  const folder = tempFolder(t);
  const [bin, list] = [join(folder, "bin"), join(folder, "opened")];
  mkdirSync(bin);
  writeFileSync(join(bin, "xdg-open"), `#!/bin/sh\n${opener}\n`);
  chmodSync(join(bin, "xdg-open"), 0o755);
  const passwordFile = join(folder, "admin.password");
  writeFileSync(passwordFile, "secret-of-the-test");
  const state = await markDeployed(folder, {
    balancerUrl: "http://127.0.0.1:8080",
    adminUrl: STATS_PAGE,
    adminUser: "admin",
    adminPasswordFile: passwordFile,
    nodes: [],
  });
  const lbctl = join(import.meta.dirname, "../../cli/bin.ts");
  const onTerminal: Bed["onTerminal"] = (screen, ...flags) => {
    const command = [process.execPath, lbctl, "dashboard", ...flags].map((word) => `'${word}'`).join(" ");
    const env = { DISPLAY: "", WAYLAND_DISPLAY: "", OPENED: list, ...screen };
    return run("script", ["-qec", command, "/dev/null"], {
      cwd: folder,
      env: { ...env, PATH: `${bin}:${process.env.PATH}` },
    });
  };
  return {
    folder,
    state,
    bin,
    onTerminal,
    opened: () => (existsSync(list) ? readFileSync(list, "utf8") : null),
  };
}

/** As if a deploy had started Grafana there. */
function choose(state: StatePaths, port: number): void {
  mkdirSync(state.monitoring);
  const grafana = { executable: "/usr/sbin/grafana", home: "/usr/share/grafana", port };
  writeFileSync(join(state.monitoring, "monitoring.json"), JSON.stringify({ grafana }));
}

async function grafanaAnswers(t: TestContext, status: number): Promise<number> {
  const server = createServer((_, response) => response.writeHead(status).end());
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { CSV_COLUMNS, csvText } from "../../../../proxy/admin/stats/csv-columns.ts";
import type { NodeState } from "../../../../proxy/api.ts";
import { tempFolder } from "../../../support/temp-folder.ts";
import { until } from "../../../support/wait.ts";
import { FakeControl, node, startAdmin } from "../fake-control.ts";

/** Rows of a CSV as HAProxy writes it, by the names in its header; quoted fields are taken as RFC 4180 says. */
function rowsOf(text: string): Record<string, string>[] {
  const [header = "", ...lines] = text.trimEnd().split("\n");
  assert.ok(header.startsWith("# pxname,svname,"), header);
  const names = header.slice(2).split(",");
  return lines.map((line) => {
    const fields = [...line.matchAll(/("(?:[^"]|"")*"|[^,]*),/g)].map(([, field = ""]) => {
      return field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field;
    });
    assert.equal(fields.length, names.length - 1, line);
    return Object.fromEntries(fields.map((field, index) => [names[index] ?? "", field]));
  });
}

async function fetchRows(control: FakeControl, t: Parameters<typeof startAdmin>[0]) {
  const { call } = await startAdmin(t, { control });
  const response = await call("/;csv");
  assert.equal(response.headers.get("content-type"), "text/plain; charset=utf-8");
  return rowsOf(await response.text());
}

test("routes are frontends, nodes the servers of two backends", async (t) => {
  const rows = await fetchRows(
    new FakeControl([node("app1", { reads: 12, acks: 7, lag: 3 }), node("app2")]),
    t,
  );
  assert.deepEqual(
    rows.map(({ pxname, svname, status, type }) => [pxname, svname, status, type].join(" ")),
    [
      "all-1 FRONTEND OPEN 0",
      "one-2 FRONTEND OPEN 0",
      "reads app1 UP 2",
      "reads app2 UP 2",
      "reads BACKEND UP 1",
      "writes app1 UP 2",
      "writes app2 UP 2",
      "writes BACKEND UP 1",
    ],
  );
  assert.equal(rows[2]?.stot, "12");
  assert.equal(rows[5]?.stot, "7");
  assert.equal(rows[5]?.qcur, "3", "the lag is what queues for a node");
  assert.equal(rows[1]?.req_tot, "482110");
  assert.equal(rows[4]?.act, "2");
  assert.equal(rows[2]?.last_chk, "200 in 1 ms");
  assert.equal(rows[2]?.check_status, "L7OK");
});

test("the address with norefresh, which tools ask for, gives the same", async (t) => {
  const { call } = await startAdmin(t);
  assert.equal((await call("/;csv;norefresh")).status, 200);
});

const WORDS: Record<NodeState, readonly [reads: string, writes: string]> = {
  "in-sync": ["UP", "UP"],
  "catching-up": ["DOWN", "UP"],
  joining: ["DOWN", "DOWN"],
  down: ["DOWN", "DOWN"],
  draining: ["DRAIN", "UP"],
  maint: ["MAINT", "MAINT"],
  quarantined: ["DOWN", "DOWN"],
};
for (const [state, words] of Object.entries(WORDS)) {
  test(`a node that is ${state} is ${words.join(" for reads, and for writes ")}`, async (t) => {
    const rows = await fetchRows(new FakeControl([node("app1", { state: state as NodeState })]), t);
    assert.deepEqual(
      rows.filter(({ svname }) => svname === "app1").map(({ status }) => status),
      words,
    );
    const backend = rows.find(({ pxname, svname }) => pxname === "reads" && svname === "BACKEND");
    assert.equal(backend?.status, words[0] === "UP" ? "UP" : "DOWN");
  });
}

test("foreign text can't break a row, nor run in a spreadsheet", async (t) => {
  const evil = '=HYPERLINK("http://evil.example","x"),\r\n<script>';
  const nodes = [
    node("app1", { state: "down", reason: evil, lastCheck: { ok: false, at: 0, detail: "\t@SUM(1)" } }),
    node("app2", { url: "+1", state: "down", reason: "-2" }),
  ];
  const rows = await fetchRows(new FakeControl(nodes), t);
  assert.equal(rows.length, 8);
  assert.equal(rows[2]?.check_desc, `'=HYPERLINK("http://evil.example","x"),  <script>`);
  assert.equal(rows[2]?.last_chk, "' @SUM(1)");
  assert.equal(rows[3]?.check_desc, "'-2");
  assert.equal(rows[3]?.addr, "'+1");
});

test("figures are whole numbers, and what does not apply is empty", () => {
  const [row] = rowsOf(csvText([{ pxname: "x", rate: 1.7, lag: 3 }]));
  assert.equal(row?.rate, "2");
  assert.equal(row?.qcur, "");
});

const NEEDS = {
  skip: existsSync("/usr/sbin/haproxy") ? false : "no /usr/sbin/haproxy: apt-get install haproxy",
};

test("the columns stand where the real HAProxy has them", NEEDS, async (t) => {
  const theirs = await headerOfHaproxy(t);
  // HAProxy appends new columns, and drops none: ours are those up to 2.4.
  const ours = CSV_COLUMNS.filter((column) => theirs.includes(column));
  assert.deepEqual(theirs.slice(0, ours.length), ours);
  assert.ok(ours.length > 90, String(ours.length));
});

/** Of a HAProxy that is started for it; asked by its socket. */
async function headerOfHaproxy(t: Parameters<typeof startAdmin>[0]): Promise<string[]> {
  const folder = tempFolder(t);
  const socket = join(folder, "sock");
  const file = join(folder, "haproxy.cfg");
  writeFileSync(
    file,
    `global\n  stats socket "${socket}" level user\ndefaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\nfrontend f\n  bind "${join(folder, "front")}"\n`,
  );
  execFileSync("/usr/sbin/haproxy", ["-c", "-q", "-f", file]);
  const child = spawn("/usr/sbin/haproxy", ["-db", "-f", file], { stdio: "ignore" });
  t.after(() => child.kill("SIGKILL"));
  await until(() => existsSync(socket), { what: "HAProxy's socket" });
  const connection = connect(socket);
  connection.end("show stat\n");
  const text = String(Buffer.concat(await connection.toArray()));
  return (text.split("\n")[0] ?? "").slice(2).split(",");
}

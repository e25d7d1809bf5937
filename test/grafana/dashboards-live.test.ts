/** A real Prometheus scrapes a cluster under load: every query of the boards, and every selector of the rules, has data. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ALERTS } from "../../grafana/alerts.ts";
import { RECORDINGS } from "../../grafana/recordings.ts";
import { REAL_TIME } from "../../grafana/time.ts";
import { METRICS } from "../../proxy/metrics/metrics-table.ts";
import { startCluster } from "../support/bare-cluster.ts";
import { startBed } from "../support/bed.ts";
import { panelsOf, readBoards } from "../support/boards.ts";
import { makeCertificate } from "../support/certificate.ts";
import { startNodeExporter, withoutNodeExporter } from "../support/node-exporter.ts";
import {
  type Series,
  startPrometheus,
  type TestPrometheus,
  withoutPrometheus,
} from "../support/prometheus.ts";
import { selectorsOf } from "../support/promql.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { until } from "../support/wait.ts";

const skip = withoutPrometheus() || withoutNodeExporter();

/** Something that must have data, and what for. */
interface Asked {
  readonly where: string;
  readonly query: string;
  /** Labels that the panel's legend shows. */
  readonly labels: readonly string[];
  /** A panel's figures are numbers; a selector's may be +Inf. */
  readonly finite: boolean;
}

type Variables = Readonly<Record<string, string>>;

const PANELS: readonly Asked[] = readBoards().flatMap((board) =>
  panelsOf(board).flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, refId, legendFormat }) => ({
      where: `${board.title}: ${title}: ${refId}`,
      query: expr,
      labels: [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = ""]) => label),
      finite: true,
    })),
  ),
);

/** What is filtered (alerts, events) or not a number (variables): its selectors. */
const SELECTORS: readonly Asked[] = [
  ...[...RECORDINGS, ...ALERTS].map(({ name, expr }) => ({ name, query: expr(REAL_TIME) })),
  ...readBoards().flatMap((board) => [
    ...board.annotations.list.map(({ name, expr }) => ({ name, query: expr })),
    ...board.templating.list.flatMap(({ name, definition = "" }) => {
      const [, query] = /^label_values\((.*), \w+\)$/.exec(definition) ?? [];
      return query === undefined ? [] : [{ name, query }];
    }),
  ]),
].flatMap(({ name, query }) =>
  selectorsOf(query).map(({ text }) => ({ where: name, query: text, labels: [], finite: false })),
);

const ofCertificates = ({ query }: Asked) => query.includes(METRICS.certificates.name);

test("every query of every panel and every selector of every rule has data", { skip }, async (t) => {
  const { balancer } = await startBed(t, { nodes: 2 });
  const host = await startNodeExporter(t);
  const rules = ["recordings", "alerts"].map((name) =>
    readFileSync(join(import.meta.dirname, `../../grafana/rules/${name}.yaml`), "utf8"),
  );
  const prometheus = await startPrometheus(t, balancer, { hosts: [host], rules });
  const instance = new URL(balancer.adminUrl).host;
  const asked = [...PANELS, ...SELECTORS].filter((one) => !ofCertificates(one));
  assert.ok(asked.length > 150, String(asked.length));
  for (const node of ["app1", "app2"]) await allHaveData(prometheus, asked, { instance, node, host });
  await until(() => allHaveExemplars(prometheus, { instance }), { what: "exemplars" });
});

test("with tls, what is about certificates has data, too", { skip }, async (t) => {
  const folder = tempFolder(t);
  const tls = { cert: join(folder, "cert.pem"), key: join(folder, "key.pem") };
  makeCertificate(tls, "balancer", 30);
  const { balancer } = await startCluster(t, 1, { listen: { address: "127.0.0.1:0", tls } });
  const prometheus = await startPrometheus(t, balancer);
  const asked = [...PANELS, ...SELECTORS].filter(ofCertificates);
  assert.equal(asked.length, 2, "the panel's and the alert's");
  await allHaveData(prometheus, asked, { instance: new URL(balancer.adminUrl).host });
});

/** The first figures of some come with the second scrape, or with the first garbage collection. */
async function allHaveData(prometheus: TestPrometheus, asked: readonly Asked[], variables: Variables) {
  let missing = [...asked];
  const done = async () => {
    const checked = await Promise.all(missing.map((one) => hasData(prometheus, one, variables)));
    missing = missing.filter((_, index) => !checked[index]);
    return missing.length === 0;
  };
  await until(done, { timeout: 60_000, what: "data everywhere" }).catch(() => {});
  assert.deepEqual(
    missing.map(({ where, query }) => `${where}: ${filled(query, variables)}`),
    [],
  );
}

/** The numbers of writes, on the panels that show them. */
async function allHaveExemplars(prometheus: TestPrometheus, variables: Variables): Promise<boolean> {
  const targets = readBoards().flatMap((board) => panelsOf(board).flatMap(({ targets = [] }) => targets));
  const shown = targets.filter(({ exemplar }) => exemplar);
  assert.ok(shown.length > 5);
  const now = Date.now() / 1000;
  const range = { start: String(now - 600), end: String(now + 600) };
  const found = await Promise.all(
    shown.map(({ expr }) => {
      const query = filled(expr, variables);
      return prometheus.ask<readonly unknown[]>("/api/v1/query_exemplars", { query, ...range });
    }),
  );
  return found.every((series) => series.length > 0);
}

async function hasData(prometheus: TestPrometheus, { query, labels, finite }: Asked, variables: Variables) {
  const series = await prometheus.query(filled(query, variables));
  const shaped = ({ metric }: Series) => labels.every((label) => metric[label] !== undefined);
  const isFigure = ({ value }: Series) => !finite || Number.isFinite(Number(value[1]));
  return series.length > 0 && series.every((one) => shaped(one) && isFigure(one));
}

/** As Grafana fills it in. */
function filled(query: string, variables: Variables): string {
  const all: Variables = { __rate_interval: "5s", __range: "1m", ...variables };
  return query.replaceAll(/\$(\w+)/g, (_, name: string) => all[name] ?? assert.fail(`$${name} in ${query}`));
}

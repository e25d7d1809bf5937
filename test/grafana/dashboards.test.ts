/** The committed dashboards are whole: what Grafana's editor would see to, and what the project asks of each panel. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardPanel, panelsOf, readBoards } from "../support/boards.ts";

const boards = readBoards();

function noDuplicates(values: readonly unknown[]): void {
  assert.deepEqual(values, [...new Set(values)]);
}

test("uids and titles of boards are unique, and short enough for Grafana", () => {
  noDuplicates(boards.map(({ uid }) => uid));
  noDuplicates(boards.map(({ title }) => title));
  for (const { uid } of boards) assert.match(uid, /^[\w-]{1,40}$/);
});

for (const board of boards) {
  test(`${board.uid}: it says what it is for, and leads to the others with its time and variables`, () => {
    assert.ok(board.description.length > 10);
    assert.deepEqual(board.tags, ["lbctl"]);
    const [link] = board.links;
    assert.deepEqual(
      [link?.type, link?.tags, link?.includeVars],
      ["dashboards", board.tags, true],
      "links to all boards with the tag",
    );
    assert.ok(board.schemaVersion >= 36);
  });

  test(`${board.uid}: every query, variable and annotation asks the data source that the variable picks`, () => {
    assert.ok(board.templating.list.some(({ name, type }) => name === "datasource" && type === "datasource"));
    const asked = [
      ...board.templating.list.filter(({ type }) => type !== "datasource"),
      ...board.annotations.list,
      ...panelsOf(board),
      ...panelsOf(board).flatMap(({ targets = [] }) => targets),
    ];
    for (const { datasource } of asked) assert.equal(datasource?.uid, `\${datasource}`);
  });

  test(`${board.uid}: every variable that a query names is one of its own`, () => {
    const own = board.templating.list.map(({ name }) => name);
    const texts = JSON.stringify([board.panels, board.annotations, board.templating]);
    const named = new Set([...texts.matchAll(/\$\{?([a-zA-Z]\w*)/g)].map(([, name = ""]) => name));
    assert.deepEqual(
      [...named].filter((name) => !own.includes(name)),
      [],
    );
    assert.ok(
      own.every((name) => named.has(name)),
      "and each is used",
    );
  });

  test(`${board.uid}: every panel has a title, a description, a unit, thresholds and queries with legends`, () => {
    const panels = panelsOf(board);
    noDuplicates(board.panels.map(({ id }) => id));
    for (const { title, description = "", fieldConfig, targets = [] } of panels) {
      assert.match(title, /\S/);
      assert.ok(description.length > 15, `${title}: description`);
      assert.match(fieldConfig?.defaults.unit ?? "", /\w/, `${title}: unit`);
      const steps = fieldConfig?.defaults.thresholds?.steps ?? [];
      assert.ok(steps.length >= 3, `${title}: thresholds`);
      const values = steps.slice(1).map(({ value }) => value ?? Number.NaN);
      assert.deepEqual(
        values,
        values.toSorted((a, b) => a - b),
        `${title}: thresholds ascend`,
      );
      noDuplicates(values);
      assert.ok(targets.length > 0, `${title}: queries`);
      noDuplicates(targets.map(({ refId }) => refId));
      for (const { legendFormat } of targets) assert.match(legendFormat, /\S/, `${title}: legend`);
    }
  });

  test(`${board.uid}: no two panels overlap, none is outside of the grid, every row is full`, () => {
    for (const [index, panel] of board.panels.entries()) {
      const { x, w } = panel.gridPos;
      assert.ok(x >= 0 && x + w <= 24, panel.title);
      const over = board.panels.slice(index + 1).filter((other) => overlap(panel, other));
      assert.deepEqual(
        over.map(({ title }) => `${panel.title} and ${title}`),
        [],
      );
    }
    const widths = Map.groupBy(board.panels, ({ gridPos }) => gridPos.y);
    for (const [y, row] of widths) {
      assert.equal(
        row.reduce((sum, { gridPos }) => sum + gridPos.w, 0),
        24,
        `the row at ${y}`,
      );
    }
  });
}

function overlap({ gridPos: a }: BoardPanel, { gridPos: b }: BoardPanel): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Page } from "playwright-core";
import { type BareCluster, startCluster } from "../../../support/bare-cluster.ts";
import { findChromium, NO_CHROMIUM, useChromium } from "../../../support/chromium.ts";
import { read, register } from "../../../support/client.ts";
import { keepState } from "../../../support/stateful-node.ts";
import { until } from "../../../support/wait.ts";

/** The stats page of the real balancer, with real nodes behind it. */

const NEEDS = { skip: findChromium() === null ? NO_CHROMIUM : false, timeout: 90_000 };
const newContext = useChromium();

interface Seen {
  readonly page: Page;
  /** Console errors but for those of a balancer that is gone, and exceptions. */
  readonly errors: string[];
}

async function look(t: TestContext, { balancer }: BareCluster): Promise<Seen> {
  const password = readFileSync(join(balancer.folder, "admin.password"), "utf8").trim();
  const context = await newContext(t, { httpCredentials: { username: "admin", password } });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !/net::ERR_/.test(message.text())) errors.push(message.text());
  });
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(balancer.adminUrl);
  await page.locator("body[data-link=live]").waitFor();
  return { page, errors };
}

function press(page: Page, name: string): Promise<void> {
  return page.getByRole("button", { name }).click();
}

test("drain and ready by button: the balancer does it, and the page shows it", NEEDS, async (t) => {
  const cluster = await startCluster(t, 2);
  const { page, errors } = await look(t, cluster);
  await press(page, "Drain app2");
  await page.getByRole("dialog").getByRole("button", { name: "Drain app2" }).click();
  await cluster.balancer.reached("app2", "draining");
  await page.locator("#node-app2").getByText("draining").first().waitFor();
  await press(page, "Ready app2");
  await page.getByRole("dialog").getByRole("button", { name: "Ready app2" }).click();
  await cluster.balancer.reached("app2", "in-sync");
  const events = page.locator(".events");
  await events.getByText("app2 in-sync → draining: an operator said drain").first().waitFor();
  await events.getByText("app2 catching-up → in-sync: has caught up").first().waitFor();
  assert.deepEqual(errors, []);
});

test("resync by button: the node gets the other's snapshot", NEEDS, async (t) => {
  const cluster = await startCluster(t, 2, { app: { snapshot: "/lb/snapshot" } });
  const states = cluster.nodes.map((node) => keepState(node));
  for (const user of ["ada", "ben", "eve"]) await register(cluster.balancer, user);
  await cluster.balancer.settled();
  const { page, errors } = await look(t, cluster);
  await press(page, "Resync app2");
  await page.getByRole("dialog").getByRole("button", { name: "Resync app2" }).click();
  await page.locator(".events").getByText("app2 in-sync → joining: resync from app1").first().waitFor();
  await cluster.balancer.settled();
  assert.equal(states[1]?.taken, 1);
  assert.deepEqual(errors, []);
});

test("requests show as rates, percentiles and in the charts within seconds", NEEDS, async (t) => {
  const cluster = await startCluster(t, 2);
  const { page, errors } = await look(t, cluster);
  let going = true;
  const load = (async () => {
    for (let index = 0; going; index++) {
      await register(cluster.balancer, `u${index}`);
      await read(cluster.balancer);
    }
  })();
  t.after(() => {
    going = false;
  });
  const tile = (name: string) => page.locator(".tile").filter({ has: page.getByText(name, { exact: true }) });
  for (const name of ["Reads", "Writes"])
    await tile(name)
      .getByText(/p99 \d/)
      .waitFor();
  const rate = await tile("Writes").locator(".value").textContent();
  assert.match(`${rate}`, /^[\d,.]+ \/ s$/);
  const before = await page.evaluate(INK);
  await until(async () => (await page.evaluate(INK)) !== before, { what: "a line that goes on" });
  going = false;
  await load;
  assert.deepEqual(errors, []);
});

test(
  "a balancer that is killed and started again: the page goes on by itself, with what it saw",
  NEEDS,
  async (t) => {
    const cluster = await startCluster(t, 2);
    const { page, errors } = await look(t, cluster);
    await cluster.balancer.kill9();
    await page.locator("body[data-link=lost]").waitFor();
    await cluster.balancer.start();
    await page.locator("body[data-link=live]").waitFor();
    await page.locator(".events").getByText("the balancer started").first().waitFor();
    await press(page, "Maint app1");
    await page.getByRole("dialog").getByRole("button", { name: "Maint app1" }).click();
    await cluster.balancer.reached("app1", "maint");
    assert.deepEqual(errors, []);
  },
);

test("a page that is open does not hold up a shutdown", NEEDS, async (t) => {
  const cluster = await startCluster(t, 2);
  const { page } = await look(t, cluster);
  assert.equal(await cluster.balancer.stop(), 0);
  await page.locator("body[data-link=lost]").waitFor();
});

/** What the first chart's canvas looks like. */
const INK = `document.querySelector(".plot canvas").toDataURL()`;

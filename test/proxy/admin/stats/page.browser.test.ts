import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { LbError } from "../../../../proxy/errors.ts";
import { useChromium } from "../../../support/chromium.ts";
import { until } from "../../../support/wait.ts";
import { FakeControl, node, startAdmin } from "../fake-control.ts";
import { NEEDS_CHROMIUM as NEEDS, openPage } from "./open-page.ts";

const newContext = useChromium();
const open = openPage.bind(null, newContext);

/** Another site, that serves one page; gives its port. */
async function serve(t: TestContext, markup: string): Promise<number> {
  const server = createServer((_request, response) => {
    response.setHeader("Content-Type", "text/html").end(markup);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test("the page shows nodes and routes, and nothing is wrong on its console", NEEDS, async (t) => {
  const { page, errors } = await open(t);
  assert.equal(await page.title(), "default · lbctl");
  assert.equal(await page.getByRole("row", { name: /app2/ }).getByText("in-sync").count(), 1);
  assert.equal(await page.getByRole("row", { name: /all-1/ }).count(), 1);
  assert.equal(await page.locator(".plot canvas").count(), 5, "every chart is drawn");
  assert.deepEqual(errors, []);
});

test("a change shows within seconds, and what has the focus keeps it", NEEDS, async (t) => {
  const { page, control, errors } = await open(t);
  const button = page.getByRole("button", { name: "Drain app1" });
  await button.focus();
  Object.assign(control.nodes[1] ?? {}, { state: "down", reason: "3 checks <failed>", readErrors: 1234 });
  const row = page.getByRole("row", { name: /app2/ });
  await row.getByText("3 checks <failed>").waitFor();
  assert.match(`${await row.textContent()}`, /down/);
  assert.match(`${await row.textContent()}`, /1,234/);
  assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-label')"), "Drain app1");
  assert.deepEqual(errors, []);
});

test("nodes that are added and removed appear and disappear", NEEDS, async (t) => {
  const { page, control } = await open(t);
  control.nodes = [node("app1"), node("app4")];
  await page.locator("#node-app4").waitFor();
  assert.equal(await page.locator("#node-app2").count(), 0);
});

test("drain asks in a dialog: cancel changes nothing, yes drains", NEEDS, async (t) => {
  const { page, control, errors } = await open(t);
  await page.getByRole("button", { name: "Drain app1" }).click();
  const dialog = page.getByRole("dialog", { name: "Drain app1?" });
  await dialog.getByText("Cancel").click();
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(control.calls, []);
  await page.getByRole("button", { name: "Drain app1" }).click();
  await dialog.getByRole("button", { name: "Drain app1" }).click();
  await page.locator("#node-app1").getByText("draining").waitFor();
  assert.deepEqual(control.calls, [["drain", "app1", false]]);
  assert.deepEqual(errors, []);
});

test("ready and maint go by the keyboard alone; Escape closes the question", NEEDS, async (t) => {
  const { page, control } = await open(t, {
    control: new FakeControl([node("app1"), node("app2", { state: "maint" })]),
  });
  await page.getByRole("button", { name: "Ready app2" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Space");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Enter");
  await page.locator("#node-app2").getByText("catching-up").waitFor();
  assert.deepEqual(control.calls, [["ready", "app2", false]]);
  // Who sees nothing is told, and goes on from where they were.
  await page.getByRole("status").getByText("Ready app2: done").waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await page.evaluate("document.activeElement.closest('tr')?.id"), "node-app2");
});

test("what the balancer refuses is shown with the way back", NEEDS, async (t) => {
  const { page, control } = await open(t);
  await page.getByRole("button", { name: "Drain app1" }).click();
  const dialog = page.getByRole("dialog", { name: "Drain app1?" });
  await dialog.waitFor();
  control.drain = () => Promise.reject(new LbError("last_in_sync", "app1 is the last in-sync node"));
  await dialog.getByRole("button", { name: "Drain app1" }).click();
  await page.getByRole("heading", { name: "It is the last node in-sync" }).waitFor();
  await page.getByRole("link", { name: "Back" }).click();
  await page.locator("#node-app1").waitFor();
});

test("the last in-sync node needs a tick in the box", NEEDS, async (t) => {
  const { page, control } = await open(t, { control: new FakeControl([node("app1")]) });
  await page.getByRole("button", { name: "Maint app1" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Maint app1" }).click();
  assert.deepEqual(control.calls, [], "the browser itself asks for the tick");
  await dialog.getByRole("checkbox").check();
  await dialog.getByRole("button", { name: "Maint app1" }).click();
  await page.locator("#node-app1").getByText("maint", { exact: true }).first().waitFor();
  assert.deepEqual(control.calls, [["maint", "app1", true]]);
});

test("without scripts the page is a table, and its buttons ask on a page of their own", NEEDS, async (t) => {
  const { page, control } = await open(t, { javaScriptEnabled: false });
  await page.getByRole("button", { name: "Drain app3" }).click();
  await page.waitForURL(/\/nodes\/app3\/drain$/);
  assert.deepEqual(control.calls, []);
  await page.getByRole("button", { name: "Drain app3" }).click();
  await page.locator("#node-app3").getByText("draining").waitFor();
  assert.deepEqual(control.calls, [["drain", "app3", false]]);
});

test(
  "a page of another site can't make the browser drain a node, though it knows the password",
  NEEDS,
  async (t) => {
    const { page, control, url, logged } = await open(t);
    const target = `${url}/nodes/app1/drain`;
    const attack = `<!doctype html><form method="post" action="${target}"><button>win</button></form>`;
    for (const host of ["127.0.0.1", "localhost"]) {
      await page.goto(`http://${host}:${await serve(t, attack)}/`);
      await page.getByText("win").click();
      await page.waitForURL(target);
      await page.getByRole("heading", { name: "The call comes from another site" }).waitFor();
    }
    assert.deepEqual(control.calls, []);
    assert.deepEqual(
      logged.map(({ user, status }) => `${user} ${status}`),
      ["admin 403", "admin 403"],
    );
  },
);

test("resync asks in a dialog where to copy from", NEEDS, async (t) => {
  const nodes = [node("app1"), node("app2", { state: "quarantined", reason: "answered 409" }), node("app3")];
  const { page, control, errors } = await open(t, { control: new FakeControl(nodes) });
  await page.getByRole("button", { name: "Resync app2" }).click();
  const dialog = page.getByRole("dialog", { name: "Resync app2?" });
  await dialog.getByLabel("Copy from").selectOption("app3");
  await dialog.getByRole("button", { name: "Resync app2" }).click();
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(control.calls, [["resync", "app2", { from: "app3" }]]);
  assert.deepEqual(errors, []);
});

test("a dialog keeps the focus within, and gives it back", NEEDS, async (t) => {
  const { page } = await open(t);
  await page.getByRole("button", { name: "Drain app2" }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  for (let index = 0; index < 8; index++) {
    const where = "document.activeElement === document.body || !!document.activeElement.closest('dialog')";
    assert.equal(await page.evaluate(where), true, `after ${index} tabs`);
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  assert.equal(await page.evaluate("document.activeElement.getAttribute('aria-label')"), "Drain app2");
});

test("the arrow keys move through a chart and say what it shows", NEEDS, async (t) => {
  const { page, errors } = await open(t);
  const chart = page.getByRole("group", { name: /^Lag by node/ });
  await chart.focus();
  await page.keyboard.press("End");
  const readout = chart.locator(".readout");
  await readout.getByText("app1 0").waitFor();
  assert.match(`${await readout.textContent()}`, /UTC/);
  await page.keyboard.press("Escape");
  await readout.waitFor({ state: "hidden" });
  assert.deepEqual(errors, []);
});

test("charts go on where the page comes back from being hidden", NEEDS, async (t) => {
  const { page, history } = await open(t);
  const at = () => page.locator("header time").getAttribute("datetime");
  const hide = (hidden: boolean) =>
    page.evaluate(
      `Object.defineProperty(document, "hidden", { configurable: true, value: ${hidden} }); document.dispatchEvent(new Event("visibilitychange"))`,
    );
  await hide(true);
  const before = await at();
  const sampled = history.last?.at ?? 0;
  await until(() => (history.last?.at ?? 0) > sampled + 1500);
  assert.equal(await at(), before, "nothing is asked for while nobody looks");
  await hide(false);
  await until(async () => (await at()) !== before);
});

test(
  "a node named like markup is text everywhere: table, timeline, events, charts, title",
  NEEDS,
  async (t) => {
    const evil = `<script>alert(1)</script><img src=x onerror=alert(2)>"'`;
    const control = new FakeControl([node("app1"), node(evil, { reason: evil, state: "down", url: evil })]);
    control.more = { cluster: evil };
    const { page, history, errors } = await open(t, { control });
    page.on("dialog", () => errors.push("a dialog opened"));
    history.nodeChanged(evil, "in-sync", "down", evil);
    await page.locator(".events").getByText(`in-sync → down: ${evil}`).waitFor();
    const chart = page.getByRole("group", { name: /^Lag by node/ });
    await chart.focus();
    await page.keyboard.press("End");
    await chart.locator(".readout").getByText(`${evil} 0`).waitFor();
    assert.equal(await page.locator("img, script:not([src])").count(), 0);
    assert.equal(await page.locator("tbody th").filter({ hasText: evil }).count(), 1);
    assert.ok((await page.title()).includes(evil));
    assert.deepEqual(errors, []);
  },
);

test("a wrong password shows nothing of the page", NEEDS, async (t) => {
  const { url } = await startAdmin(t);
  const context = await newContext(t, { httpCredentials: { username: "admin", password: "wrong guess" } });
  const page = await context.newPage();
  const response = await page.goto(url);
  assert.equal(response?.status(), 401);
  assert.doesNotMatch(await page.content(), /app1|in-sync/);
});

test("the viewer gets no buttons", NEEDS, async (t) => {
  const { page } = await open(t, { as: "viewer" });
  assert.equal(await page.getByRole("button").count(), 0);
  assert.match(`${await page.locator("header").textContent()}`, /signed in as guest/);
});

test("a balancer that stops answering is said so, and the last figures stay", NEEDS, async (t) => {
  const { admin, page } = await open(t);
  await admin.close();
  await page.locator("body[data-link=lost]").waitFor();
  assert.match(`${await page.locator("header").textContent()}`, /not answering, trying again/);
  assert.match(`${await page.locator("#node-app1").textContent()}`, /in-sync/);
});

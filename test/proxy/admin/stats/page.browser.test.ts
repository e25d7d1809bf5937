import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import { findChromium, NO_CHROMIUM, useChromium } from "../../../support/chromium.ts";
import { FakeControl, node, PASSWORDS, startAdmin, type TestAdmin } from "../fake-control.ts";

/** The stats page in a real browser. */

const NEEDS = { skip: findChromium() === null ? NO_CHROMIUM : false, timeout: 60_000 };

/** Another site, that serves one page; gives its port. */
async function serve(t: TestContext, markup: string): Promise<number> {
  const server = createServer((_request, response) => {
    response.setHeader("Content-Type", "text/html").end(markup);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const newContext = useChromium();

interface Opened extends TestAdmin {
  readonly page: Page;
  /** Console errors and exceptions of the page. */
  readonly errors: string[];
}

async function open(
  t: TestContext,
  {
    control = new FakeControl(),
    as = "admin" as "admin" | "viewer",
    ...options
  }: BrowserContextOptions & { control?: FakeControl; as?: "admin" | "viewer" } = {},
): Promise<Opened> {
  const admin = await startAdmin(t, { control });
  const httpCredentials = { username: as === "admin" ? "admin" : "guest", password: PASSWORDS[as] };
  const context = await newContext(t, { httpCredentials, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(admin.url);
  return { ...admin, page, errors };
}

test("the page shows nodes and routes, and nothing is wrong on its console", NEEDS, async (t) => {
  const { page, errors } = await open(t);
  assert.equal(await page.title(), "default · lbctl");
  assert.equal(await page.getByRole("row", { name: /app2/ }).getByText("in-sync").count(), 1);
  assert.equal(await page.getByRole("row", { name: /all-1/ }).count(), 1);
  await page.waitForResponse(/\/stats\/fragment$/);
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

test("the viewer gets no buttons", NEEDS, async (t) => {
  const { page } = await open(t, { as: "viewer" });
  assert.equal(await page.getByRole("button").count(), 0);
  assert.match(`${await page.locator("header").textContent()}`, /signed in as guest/);
});

test("a balancer that stops answering is said so, and the last figures stay", NEEDS, async (t) => {
  const { admin, page } = await open(t);
  await admin.close();
  await page.locator("#live.offline").waitFor();
  assert.match(`${await page.locator("#node-app1").textContent()}`, /in-sync/);
});

for (const width of [390, 768, 1440]) {
  test(
    `nothing sticks out at ${width} px, in light and dark, with nine nodes and long reasons`,
    NEEDS,
    async (t) => {
      const reason = "connect ECONNREFUSED 127.0.0.1:4567 after 3 checks, the last one 400 ms ago";
      const nodes = Array.from({ length: 9 }, (_, index) =>
        node(`app${index + 1}`, { reason, reads: 12_345_678, acks: 1_234_567 }),
      );
      const { page } = await open(t, { control: new FakeControl(nodes), viewport: { width, height: 900 } });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        assert.equal(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), 0);
        assert.deepEqual(await page.evaluate(POOR_CONTRAST), [], colorScheme);
      }
    },
  );
}

/** Elements with text of their own whose contrast with what is behind them is below 4.5 (WCAG 2, 1.4.3). */
const POOR_CONTRAST = `(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const channels = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backOf = (element) => {
    if (element === null) return [255, 255, 255];
    const back = channels(getComputedStyle(element).backgroundColor);
    return back[3] === 255 ? back : backOf(element.parentElement);
  };
  const hasText = (element) => [...element.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
  return [...document.querySelectorAll("body *")].filter(hasText).flatMap((element) => {
    const colors = [channels(getComputedStyle(element).color), backOf(element)].map(luminance);
    const ratio = (Math.max(...colors) + 0.05) / (Math.min(...colors) + 0.05);
    return ratio < 4.5 ? [element.outerHTML.slice(0, 80) + " " + ratio.toFixed(2)] : [];
  });
})()`;

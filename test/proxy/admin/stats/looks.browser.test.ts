import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { useChromium } from "../../../support/chromium.ts";
import { until } from "../../../support/wait.ts";
import { FakeControl, node } from "../fake-control.ts";
import { NEEDS_CHROMIUM as NEEDS, openPage } from "./open-page.ts";

const newContext = useChromium();
const open = openPage.bind(null, newContext);

test("everything that can be pressed shows when it has the focus", NEEDS, async (t) => {
  const { page } = await open(t);
  const plain = await page.evaluate(`(async () => {
    const found = [];
    for (const element of document.querySelectorAll("a, button, summary, [tabindex='0']")) {
      element.focus({ focusVisible: true });
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      if (outlineStyle === "none" || outlineWidth === "0px") found.push(element.outerHTML.slice(0, 80));
    }
    return found;
  })()`);
  assert.deepEqual(plain, []);
});

for (const colorScheme of ["light", "dark"] as const) {
  for (const width of [360, 1440]) {
    test(`axe finds nothing serious, ${colorScheme} at ${width} px`, NEEDS, async (t) => {
      const nodes = STATES.map((state, index) => {
        return node(`app${index + 1}`, {
          state,
          lag: index * 10,
          reason: `a reason ${index}`,
          readErrors: index,
        });
      });
      const control = new FakeControl(nodes);
      control.more = { setAside: 1 };
      const { page, history } = await open(t, { control, colorScheme, viewport: { width, height: 900 } });
      for (const { name, state } of nodes)
        history.nodeChanged(name, "in-sync", state, "for the list of events");
      await page.locator(".events li").nth(6).waitFor();
      assert.deepEqual(await seriousFindings(page), []);
      await page.getByRole("button", { name: "Maint app3" }).click();
      await page.getByRole("dialog").waitFor();
      assert.deepEqual(await seriousFindings(page), [], "with a dialog open");
    });
  }
}

test("the colours follow the scheme, in the charts, too", NEEDS, async (t) => {
  const { page } = await open(t, { colorScheme: "light" });
  const inkOf = () => page.evaluate(INK);
  const light = await inkOf();
  await page.emulateMedia({ colorScheme: "dark" });
  await until(async () => (await inkOf()) !== light, { what: "other colours in the chart" });
});

for (const width of [320, 820, 1100, 1344, 1345]) {
  test(
    `nothing sticks out at ${width} px, in light and dark, with nine nodes, long names and reasons`,
    NEEDS,
    async (t) => {
      const reason = "connect ECONNREFUSED 127.0.0.1:4567 after 3 checks, the last one 400 ms ago";
      const nodes = Array.from({ length: 9 }, (_, index) =>
        node(`app${index + 1}-with-as-long-a-name-as-may`, {
          reason,
          lag: 1_234_567,
          oldestUndelivered: 12_345,
          reads: 12_345_678,
          acks: 1_234_567,
        }),
      );
      const { page } = await open(t, { control: new FakeControl(nodes), viewport: { width, height: 900 } });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        assert.deepEqual(await page.evaluate(STICKING_OUT), [], colorScheme);
        assert.deepEqual(await page.evaluate(POOR_CONTRAST), [], colorScheme);
      }
    },
  );
}

/** What is wider than there is room: the page, a table, or a tile. */
const STICKING_OUT = `[document.documentElement, ...document.querySelectorAll(".scroll, .tile")]
  .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
  .map(({ outerHTML }) => outerHTML.slice(0, 80))`;

const STATES = ["joining", "catching-up", "in-sync", "down", "draining", "maint", "quarantined"] as const;

/** What axe-core calls serious or critical: rule and element. */
async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = (await page.evaluate("axe.run(document)")) as {
    violations: { id: string; impact: string; nodes: { html: string }[] }[];
  };
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`));
}

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What the first chart's canvas looks like. */
const INK = `document.querySelector(".plot canvas").toDataURL()`;

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

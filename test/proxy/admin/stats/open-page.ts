/** The stats page in a real browser, over a balancer that only remembers what it was told. */

import type { TestContext } from "node:test";
import type { BrowserContextOptions, Page } from "playwright-core";
import { findChromium, NO_CHROMIUM, type useChromium } from "../../../support/chromium.ts";
import { FakeControl, PASSWORDS, startAdmin, type TestAdmin } from "../fake-control.ts";

export const NEEDS_CHROMIUM = { skip: findChromium() === null ? NO_CHROMIUM : false, timeout: 60_000 };

export interface Opened extends TestAdmin {
  readonly page: Page;
  /** Console errors and exceptions of the page. */
  readonly errors: string[];
}

/** Opens it, and waits until it is live where it has scripts. */
export async function openPage(
  newContext: ReturnType<typeof useChromium>,
  t: TestContext,
  {
    control = new FakeControl(),
    as = "admin" as "admin" | "viewer",
    ...options
  }: BrowserContextOptions & { control?: FakeControl; as?: "admin" | "viewer" } = {},
): Promise<Opened> {
  const admin = await startAdmin(t, { control, live: true });
  const httpCredentials = { username: as === "admin" ? "admin" : "guest", password: PASSWORDS[as] };
  const context = await newContext(t, { httpCredentials, ...options });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  await page.goto(admin.url);
  if (options.javaScriptEnabled !== false) await page.locator("body[data-link=live]").waitFor();
  return { ...admin, page, errors };
}

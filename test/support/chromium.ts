import { accessSync, constants } from "node:fs";
import { after, before, type TestContext } from "node:test";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from "playwright-core";

/** The system's Chromium, driven by playwright-core. */

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export const CHROMIUM_FLAGS: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where it is; null: tests that need it are to be skipped with `NO_CHROMIUM` as the reason. */
export function findChromium(): string | null {
  return PLACES.find(isExecutable) ?? null;
}

export const NO_CHROMIUM = `no Chromium at ${PLACES.join(", ")}: apt-get install chromium`;

/** One browser for all tests of a file, with a new profile; gives each test a context of its own. */
export function useChromium(): (t: TestContext, options?: BrowserContextOptions) => Promise<BrowserContext> {
  const executablePath = findChromium();
  let browser: Browser | null = null;
  before(async () => {
    if (executablePath !== null)
      browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS] });
  });
  after(async () => await browser?.close());
  return async (t, options) => {
    if (browser === null) throw new Error(NO_CHROMIUM);
    const context = await browser.newContext(options);
    t.after(() => context.close());
    return context;
  };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

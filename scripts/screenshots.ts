/**
 * Makes the pictures of the stats page in docs/img/: the real page in the system's Chromium, over a modelled cluster
 * whose 15 minutes pass in a moment. With a folder as argument: every scenario in both schemes, wide and narrow, to
 * look at while the page is being worked on.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { AdminServer } from "../proxy/admin/admin.ts";
import { Log } from "../proxy/log.ts";
import { CHROMIUM_FLAGS, findChromium, NO_CHROMIUM } from "../test/support/chromium.ts";
import { SCENARIOS } from "../test/support/scenarios.ts";
import { SimulatedCluster } from "../test/support/simulated-cluster.ts";

interface Picture {
  readonly file: string;
  readonly scenario: keyof typeof SCENARIOS;
  readonly scheme: "light" | "dark";
  readonly width: number;
  /** Null: as high as the page. */
  readonly height: number | null;
}

const SHOWN: readonly Picture[] = [
  { file: "stats-healthy.png", scenario: "healthy", scheme: "light", width: 1400, height: 1180 },
  { file: "stats-catching-up.png", scenario: "catchingUp", scheme: "dark", width: 1400, height: 1180 },
  { file: "stats-phone.png", scenario: "quarantined", scheme: "light", width: 390, height: 1200 },
];

const PASSWORD = "only for pictures";

async function take(browser: Browser, folder: string, picture: Picture): Promise<void> {
  const { control, metrics, history } = new SimulatedCluster(SCENARIOS[picture.scenario]).run();
  const files = mkdtempSync(join(tmpdir(), "lbctl-pictures-"));
  writeFileSync(join(files, "password"), PASSWORD);
  const listen = { host: "127.0.0.1", port: 0 };
  const config = { listen, tls: null, user: "admin", passwordFile: join(files, "password"), viewer: null };
  const log = new Log({ level: "silent", access: false, sample: 1 }, { write() {} });
  const admin = new AdminServer({ config, control, metrics, history, log });
  const { port } = await admin.listen();
  const context = await browser.newContext({
    colorScheme: picture.scheme,
    httpCredentials: { username: "admin", password: PASSWORD },
    viewport: { width: picture.width, height: picture.height ?? 900 },
  });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  await page.locator("body[data-link=live]").waitFor();
  await page.locator(".plot canvas").nth(4).waitFor();
  await page.screenshot({ path: join(folder, picture.file), fullPage: picture.height === null });
  await context.close();
  await admin.close();
  rmSync(files, { recursive: true });
}

/** Every state in every look. */
function everything(): Picture[] {
  const names = Object.keys(SCENARIOS) as (keyof typeof SCENARIOS)[];
  return names.flatMap((scenario) =>
    (["light", "dark"] as const).flatMap((scheme) =>
      [360, 820, 1440].map((width) => {
        return { file: `${scenario}-${scheme}-${width}.png`, scenario, scheme, width, height: null };
      }),
    ),
  );
}

const executablePath = findChromium();
if (executablePath === null) throw new Error(NO_CHROMIUM);
const [folder] = process.argv.slice(2);
const into = folder ?? join(import.meta.dirname, "../docs/img");
mkdirSync(into, { recursive: true });
const browser = await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS] });
try {
  for (const picture of folder === undefined ? SHOWN : everything()) await take(browser, into, picture);
} finally {
  await browser.close();
}

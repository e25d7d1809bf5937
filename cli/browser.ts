/** The browser of whoever sits at this machine. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { runQuietly } from "./run.ts";

const OPENER = "xdg-open";
/** It hands the address over and ends; one that stays is a browser itself. In ms. */
const HANDED_OVER_WITHIN = 3000;

/** Someone looks at this terminal, and has a screen: not over plain ssh, in a script or a pipe. */
export function hasScreen(isTerminal: boolean, environment: NodeJS.ProcessEnv = process.env): boolean {
  const { DISPLAY, WAYLAND_DISPLAY, PATH = "" } = environment;
  return isTerminal && Boolean(DISPLAY || WAYLAND_DISPLAY) && PATH.split(":").some(holdsOpener);
}

/** @returns false where no browser took it */
export async function openInBrowser(url: string): Promise<boolean> {
  return await runQuietly([OPENER, url], HANDED_OVER_WITHIN);
}

function holdsOpener(folder: string): boolean {
  try {
    accessSync(join(folder, OPENER), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

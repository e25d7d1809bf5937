/** What is put on hosts: the bundles, each under the name of its release, kept so that one can be gone back to. */
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { ClusterConfig } from "../cluster-config.ts";
import { UserError } from "../errors.ts";
import { packageRoot, packageVersion } from "../package.ts";
import type { StatePaths } from "../state.ts";
import { type KeptApp, keepOwnApp, keptApp, OWN } from "./own-app.ts";
import type { Facts } from "./probe.ts";
import type { HostsRecord, Releases } from "./record.ts";

type HasReleases = Pick<Facts, "machine" | "releases">;

export interface Release {
  readonly names: Releases;
  /** The balancer's one file; null where it is on the hosts alone. */
  readonly proxyBundle: string | null;
  /** The reference app's; null for another, or where it is on the hosts alone. */
  readonly appBundle: string | null;
  /** The user's own app; null likewise. */
  readonly ownApp: KeptApp | null;
}

/** What this lbctl and the user's app are now; copied into the state directory. */
export function currentRelease(config: ClusterConfig, state: StatePaths): Release {
  const proxy = keep("proxy.mjs", state);
  const { app } = config;
  if (app.kind === "none")
    return { names: { proxy, app: null }, ...filesOf(config, state, { proxy, app: null }) };
  const name =
    app.kind === "reference"
      ? keep("app.mjs", state)
      : keepOwnApp(resolve(config.dir, app.directory), app.command, (release) => folderOf(state, release));
  return releaseOf(config, state, { proxy, app: name });
}

/** One that was there before: another operator has its bundles elsewhere, and the hosts keep theirs. */
export function releaseOf(config: ClusterConfig, state: StatePaths, names: Releases): Release {
  return { names, ...filesOf(config, state, names) };
}

function filesOf({ app }: ClusterConfig, state: StatePaths, names: Releases): Omit<Release, "names"> {
  const bundle = (name: string, file: string) => {
    const path = join(folderOf(state, name), file);
    return existsSync(path) ? path : null;
  };
  return {
    proxyBundle: bundle(names.proxy, "proxy.mjs"),
    appBundle: app.kind === "reference" && names.app !== null ? bundle(names.app, "app.mjs") : null,
    ownApp: app.kind === "directory" && names.app !== null ? keptApp(folderOf(state, names.app)) : null,
  };
}

/** @throws UserError before anything is changed, where a host lacks a release that is not here either */
export function refuseMissing(
  { kind }: ClusterConfig["app"],
  { names, proxyBundle, appBundle, ownApp }: Release,
  balancer: HasReleases,
  apps: readonly HasReleases[],
): void {
  const lacking = (hosts: readonly HasReleases[], release: string) =>
    hosts
      .filter(({ releases }) => !releases.includes(release))
      .map(({ machine }) => `${machine.name} has no ${release}`);
  const deployed = kindOf(names.app);
  if (deployed !== kind) throw otherKind(names, deployed, kind);
  const problems = [
    ...(proxyBundle === null ? lacking([balancer], `proxy/${names.proxy}`) : []),
    ...(kind !== "none" && names.app !== null && appBundle === null && ownApp === null
      ? lacking(apps, `app/${names.app}`)
      : []),
  ];
  if (problems.length === 0) return;
  throw new UserError("expected the release here or on each of its hosts, got neither; nothing was changed", {
    code: "release_not_at_hand",
    problems,
    next: [
      "run the same command where it was deployed from: its state directory (.lbctl) has the release",
      "or, with an app of your own, put that version into its directory again: lbctl deploy",
      "or go to another one: lbctl deploy, with the lbctl or the app that you want",
    ],
  });
}

function kindOf(app: string | null): ClusterConfig["app"]["kind"] {
  if (app === null) return "none";
  return app.startsWith(OWN) ? "directory" : "reference";
}

function otherKind({ app }: Releases, deployed: string, kind: string): UserError {
  return new UserError(
    `expected app: in lbctl.yaml as it was with this release (${deployed}${app === null ? "" : `, ${app}`}), got ${kind}; nothing was changed`,
    {
      code: "app_of_another_kind",
      next: [
        "set app: in lbctl.yaml back to what it was, then do it again",
        "or go on with it: lbctl deploy",
      ],
    },
  );
}

/** Bundles that neither runs nor is gone back to. */
export function removeOldReleases(state: StatePaths, { releases, before }: HostsRecord): void {
  const kept = new Set([releases?.proxy, releases?.app, before?.proxy, before?.app]);
  const all = join(state.dir, "releases");
  if (!existsSync(all)) return;
  for (const name of readdirSync(all)) if (!kept.has(name)) rmSync(join(all, name), { recursive: true });
}

function folderOf(state: StatePaths, name: string): string {
  return join(state.dir, "releases", name);
}

/** `0.1.0-3f2a9c41` */
function keep(bundle: "proxy.mjs" | "app.mjs", state: StatePaths): string {
  const built = join(packageRoot(), "dist", bundle);
  if (!existsSync(built)) {
    throw new UserError(`expected ${built}, got none`, { code: "not_built", next: ["npm run build"] });
  }
  const name = `${packageVersion()}-${digestOf(readFileSync(built))}`;
  const folder = folderOf(state, name);
  if (existsSync(join(folder, bundle))) return name;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  copyFileSync(built, join(folder, `${bundle}.new`));
  renameSync(join(folder, `${bundle}.new`), join(folder, bundle));
  return name;
}

export function digestOf(content: Buffer | string): string {
  return createHash("sha256").update(content).digest("hex").slice(0, 8);
}

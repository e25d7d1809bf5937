/** What deploy would change: pure, from what is wanted and what is there. */
import type { Change } from "../target.ts";
import type { ProxyConfigFile } from "../tools/proxy-config.ts";
import { type ClusterRecord, digest, type Goal } from "./goal.ts";
import { isMonitoring, MONITORING } from "./monitoring/names.ts";
import { movedNodes } from "./moved-nodes.ts";
import type { Observed } from "./observed.ts";
import { isUp } from "./observed.ts";
import type { ProcessSpec } from "./processes.ts";

const HALF_WAY = "an earlier command was stopped half-way";

export function planChanges(goal: Goal, observed: Observed): Change[] {
  const { proxyConfig } = observed;
  if (!proxyConfig) return creation(goal);
  return [
    ...nodeChanges(goal, proxyConfig),
    ...settingChanges(goal, proxyConfig),
    ...processChanges(goal, observed, proxyConfig),
    ...monitoringChanges(goal, observed),
    ...unfinished(observed, goal, proxyConfig),
  ];
}

function creation({ nodes, proxyConfig, monitoring }: Goal): Change[] {
  return [
    ...proxyConfig.nodes.map(({ name, url }): Change => ({ action: "create", what: name, detail: url })),
    {
      action: "create",
      what: "balancer",
      detail: `http://${proxyConfig.listen} over ${nodes.length}, stats page http://${proxyConfig.admin.listen}`,
    },
    ...monitoring.map((spec): Change => ({ action: "create", what: spec.name, detail: spec.argv[0] ?? "" })),
  ];
}

function nodeChanges(goal: Goal, current: ProxyConfigFile): Change[] {
  const before = new Map(current.nodes.map((node) => [node.name, node.url]));
  const after = new Map(goal.proxyConfig.nodes.map((node) => [node.name, node.url]));
  return [
    ...[...after].flatMap(([name, url]): Change[] => {
      const old = before.get(name);
      if (old === undefined)
        return [{ action: "add", what: name, detail: `${url}, joins once it has every write` }];
      return old === url ? [] : [{ action: "change", what: name, detail: `${old} → ${url}` }];
    }),
    ...[...before]
      .filter(([name]) => !after.has(name))
      .map(
        ([name]): Change => ({
          action: "remove",
          what: name,
          detail: "drained first, then its data is deleted",
        }),
      ),
  ];
}

function settingChanges(goal: Goal, current: ProxyConfigFile): Change[] {
  const before = flatten({ ...current, nodes: null });
  const after = flatten({ ...goal.proxyConfig, nodes: null });
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => before.get(path) !== after.get(path))
    .map((path) => ({
      action: "change",
      what: path,
      detail: `${before.get(path) ?? "(default)"} → ${after.get(path) ?? "(default)"}`,
    }));
}

/** `health/interval` → `"1s"`; lists are compared as a whole. */
function flatten(value: Readonly<Record<string, unknown>>, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(value).flatMap(([key, inner]): [string, string][] =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? [...flatten(inner as Readonly<Record<string, unknown>>, `${prefix}${key}/`)]
        : [[`${prefix}${key}`, typeof inner === "string" ? inner : JSON.stringify(inner)]],
    ),
  );
}

function processChanges(goal: Goal, observed: Observed, current: ProxyConfigFile): Change[] {
  const moved = movedNodes(goal, current);
  // What restarts for that is said once.
  const known = new Set([...(moved ? [] : ["balancer"]), ...current.nodes.map(({ name }) => name)]);
  const watching = new Set(observed.wanted?.processes.map(({ name }) => name).filter(isMonitoring));
  const changes = goal.processes
    .filter(({ name }) => known.has(name) || (isMonitoring(name) && watching.has(name)))
    .flatMap((spec) => processChange(spec, observed));
  const all = moved ? [ALL_ANEW, ...changes] : changes;
  if (observed.supervisor) return all;
  return [{ action: "start", what: "supervisor", detail: "not running" }, ...all];
}

const ALL_ANEW: Change = {
  action: "restart",
  what: "balancer",
  detail: "nodes at other addresses: all of them and the balancer start anew; requests fail meanwhile",
};

function processChange(spec: ProcessSpec, { wanted, supervisor }: Observed): Change[] {
  const before = wanted?.processes.find(({ name }) => name === spec.name);
  if (before && outdated(before, spec))
    return [{ action: "restart", what: spec.name, detail: reason(before, spec) }];
  const status = supervisor?.processes.find(({ name }) => name === spec.name);
  // Without a supervisor nobody knows; it finds what still runs.
  if (!supervisor || (status && isUp(status))) return [];
  return [
    {
      action: "start",
      what: spec.name,
      detail: status?.lastExit ? `ended: ${status.lastExit.how}` : "not running",
    },
  ];
}

/** What comes and goes beside the cluster: installed or removed since, or switched on or off. */
function monitoringChanges({ monitoring }: Goal, { wanted }: Observed): Change[] {
  const [before, after] = [wanted?.processes ?? [], monitoring].map((specs) => specs.map(({ name }) => name));
  return MONITORING.flatMap((name): Change[] => {
    const [was, is] = [before?.includes(name), after?.includes(name)];
    if (is && !was) return [{ action: "add", what: name, detail: "watches the cluster" }];
    return was && !is ? [{ action: "remove", what: name, detail: "switched off, or not installed" }] : [];
  });
}

export function outdated(before: ProcessSpec, after: ProcessSpec): boolean {
  return before.revision !== after.revision || before.argv.join("\0") !== after.argv.join("\0");
}

function reason(before: ProcessSpec, after: ProcessSpec): string {
  const build = (spec: ProcessSpec) => spec.revision.split("-")[0];
  if (build(before) !== build(after)) return "another build of lbctl";
  return before.argv.join("\0") === after.argv.join("\0")
    ? "a setting that is read at start"
    : "another command line";
}

/** Earlier commands were stopped half-way. */
function unfinished({ record, wanted }: Observed, goal: Goal, current: ProxyConfigFile): Change[] {
  const changes: Change[] = [];
  if (record && record.loaded !== digest(current)) {
    changes.push({ action: "reload", what: "balancer", detail: HALF_WAY });
  }
  for (const name of comingBack(record, goal)) {
    changes.push({ action: "add", what: name, detail: "was about to be removed: takes reads again" });
  }
  const known = new Set(["balancer", ...current.nodes.map(({ name }) => name), ...goal.nodes, ...MONITORING]);
  for (const { name } of wanted?.processes ?? []) {
    if (!known.has(name)) changes.push({ action: "remove", what: name, detail: HALF_WAY });
  }
  return changes;
}

/** Nodes that an earlier command had begun to drain, and that are wanted after all. */
export function comingBack(record: ClusterRecord | null, goal: Goal): string[] {
  return (record?.leaving ?? []).filter((name) => goal.nodes.includes(name));
}

/** What infra/ makes of settings, taken apart for tests. */

import { nodeNames } from "../../cli/tools/proxy-config.ts";
import type { StackSettings } from "../../infra/settings.ts";
import { synthesize } from "../../infra/synth.ts";

type Resources = Readonly<Record<string, Readonly<Record<string, Resource>>>>;
export type Resource = Readonly<Record<string, unknown>>;

export interface Synthesized {
  readonly terraform: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly provider: { readonly aws: readonly Resource[] };
  readonly data: Resources;
  readonly resource: Resources;
  readonly output: Readonly<Record<string, { readonly value: Resource }>>;
}

export function settings(changes: Partial<StackSettings> & { readonly count?: number } = {}): StackSettings {
  const { count = 3, ...rest } = changes;
  return {
    cluster: "shop",
    region: "eu-central-1",
    profile: null,
    nodes: nodeNames(count),
    balancerType: "t3.medium",
    appType: "t3.small",
    image: null,
    access: "ssm",
    adminAddresses: [],
    trafficAddresses: ["0.0.0.0/0"],
    trafficPorts: [80],
    adminPorts: [1936, 3000],
    appPort: 4567,
    publicKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGRtbXkgZHVtbXkgZHVtbXkgZHVtbXkgZHVtbXkh lbctl-shop",
    network: { cidr: "10.80.0.0/16" },
    dns: null,
    journal: { size: 20, protect: false },
    state: { backend: "local" },
    tags: { Team: "web" },
    ...rest,
  };
}

export function stackOf(changes: Parameters<typeof settings>[0] = {}): Synthesized {
  return JSON.parse(synthesize(settings(changes))) as Synthesized;
}

export function resourcesOf(stack: Synthesized, type: string): Readonly<Record<string, Resource>> {
  return stack.resource[type] ?? {};
}

/** Every resource with its address: `aws_instance.app1`. */
export function all(
  stack: Synthesized,
): { readonly address: string; readonly type: string; readonly values: Resource }[] {
  return Object.entries(stack.resource).flatMap(([type, named]) =>
    Object.entries(named).map(([name, values]) => ({ address: `${type}.${name}`, type, values })),
  );
}

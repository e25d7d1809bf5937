/** What infra/ makes of settings, taken apart for tests. */
import { suite } from "node:test";
import { nodeNames } from "../../cli/tools/proxy-config.ts";
import type { Architecture, StackSettings } from "../../infra/settings.ts";
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

/** One of the clusters that every promise holds for. */
export interface Variant {
  readonly stack: Synthesized;
  readonly architecture: Architecture;
  readonly state: StackSettings["state"];
  /** `app1` … */
  readonly nodes: readonly string[];
}

const TYPES = [
  { architecture: "x86_64", balancerType: "t3.medium", appType: "t3.small" },
  { architecture: "arm64", balancerType: "t4g.medium", appType: "m7g.medium" },
] as const;
const STATES = [
  { backend: "local" },
  { backend: "s3", bucket: "shop-state", key: "lbctl/shop/terraform.tfstate", region: "eu-west-1" },
] as const;

/** A suite for every number of nodes, architecture and place of the state. */
export function everyCluster(promises: (variant: Variant) => void): void {
  for (const count of [1, 3, 9]) {
    for (const { architecture, ...types } of TYPES) {
      for (const state of STATES) {
        suite(`${count} nodes, ${architecture}, state ${state.backend}`, () =>
          promises({
            stack: stackOf({ count, state, ...types }),
            architecture,
            state,
            nodes: nodeNames(count),
          }));
      }
    }
  }
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
    nodePorts: [4567, 9100],
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

export function instances(stack: Synthesized): Resource[] {
  return Object.values(resourcesOf(stack, "aws_instance"));
}

/** As Terraform writes a reference. */
export function ref(address: string): string {
  return `\${${address}}`;
}

/** What Terraform does with a resource that is to be another one: `ignore_changes`, `prevent_destroy`. */
export function lifecycle(resource: Resource | undefined): Resource {
  return (resource?.lifecycle ?? {}) as Resource;
}

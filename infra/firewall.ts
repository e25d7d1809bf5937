/** Who may talk to whom: two security groups, a rule a line. Nothing else gets in. */
import {
  Construct,
  SecurityGroup,
  type TerraformResource,
  VpcSecurityGroupEgressRule,
  VpcSecurityGroupIngressRule,
} from "./cdktf.ts";
import { named, visibleName } from "./named.ts";
import type { StackSettings } from "./settings.ts";

/** SSH, where there is no Session Manager. */
const SSH = 22;
const HTTP = 80;
const HTTPS = 443;
const WORLD = "0.0.0.0/0";

export interface FirewallProps {
  readonly settings: StackSettings;
  readonly vpcId: string;
}

export class Firewall extends Construct {
  readonly balancerGroupId: string;
  readonly appGroupId: string;
  /** The rules of each group; a machine that starts before them has no way out. */
  readonly balancerRules: readonly TerraformResource[];
  readonly appRules: readonly TerraformResource[];

  constructor(scope: Construct, id: string, { settings, vpcId }: FirewallProps) {
    super(scope, id);
    const { cluster, access, adminAddresses, trafficAddresses, trafficPorts, adminPorts, nodePorts } =
      settings;
    const group = (name: string, description: string) =>
      named(
        name,
        new SecurityGroup(this, name, {
          // For one that is in use can't be deleted first, and a VPC has no two of one name.
          namePrefix: `${visibleName(cluster, name)}-`,
          lifecycle: { createBeforeDestroy: true },
          description,
          vpcId,
          tags: { Name: visibleName(cluster, name) },
        }),
      );
    const balancer = group("balancer", "The load balancer: clients, administrators, and its nodes.");
    const apps = group("apps", "The app servers: only the balancer gets in.");
    this.balancerGroupId = balancer.id;
    this.appGroupId = apps.id;

    const from = (source: SecurityGroup | string, port: number) =>
      ({ way: "in", port, other: source }) as const;
    const to = (other: SecurityGroup | string, port: number) => ({ way: "out", port, other }) as const;
    const rules = (of: SecurityGroup, list: readonly Rule[]) =>
      list.map((one) => rule(this, cluster, of, one));
    const admin = access === "ssh" ? [SSH, ...adminPorts] : adminPorts;
    const between = access === "ssh" ? [...nodePorts, SSH] : nodePorts;
    // Packages, and Session Manager; names and time are the VPC's own, which no group filters.
    const outside = [HTTP, HTTPS].map((port) => to(WORLD, port));
    this.balancerRules = rules(balancer, [
      ...trafficAddresses.flatMap((block) => trafficPorts.map((port) => from(block, port))),
      ...adminAddresses.flatMap((block) => admin.map((port) => from(block, port))),
      ...between.map((port) => to(apps, port)),
      ...outside,
    ]);
    this.appRules = rules(apps, [...between.map((port) => from(balancer, port)), ...outside]);
  }
}

interface Rule {
  readonly way: "in" | "out";
  readonly port: number;
  readonly other: SecurityGroup | string;
}

function rule(scope: Construct, cluster: string, group: SecurityGroup, { way, port, other }: Rule) {
  // Character by character, so that no two blocks have the same name.
  const otherName = typeof other === "string" ? other.replaceAll(/[^0-9a-f]/g, "-") : other.node.id;
  const name = `${group.node.id}-${way}-${port}-${otherName}`;
  const config = {
    securityGroupId: group.id,
    ipProtocol: "tcp",
    fromPort: port,
    toPort: port,
    ...address(other),
    description: `${way === "in" ? "from" : "to"} ${typeof other === "string" ? other : other.node.id}`,
    tags: { Name: visibleName(cluster, name) },
  };
  return named(
    name,
    way === "in"
      ? new VpcSecurityGroupIngressRule(scope, name, config)
      : new VpcSecurityGroupEgressRule(scope, name, config),
  );
}

function address(other: SecurityGroup | string) {
  if (typeof other !== "string") return { referencedSecurityGroupId: other.id };
  return other.includes(":") ? { cidrIpv6: other } : { cidrIpv4: other };
}

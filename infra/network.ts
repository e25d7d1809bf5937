/** VPC with a public subnet for the balancer and two private ones, in two zones, for the nodes. */
import {
  Construct,
  DataAwsAvailabilityZones,
  DataAwsSubnet,
  DefaultSecurityGroup,
  Eip,
  Fn,
  InternetGateway,
  NatGateway,
  Route,
  RouteTable,
  RouteTableAssociation,
  Subnet,
  type TerraformResource,
  Vpc,
} from "./cdktf.ts";
import { named, visibleName } from "./named.ts";
import type { GivenNetwork, MadeNetwork } from "./settings.ts";

export interface NetworkProps {
  readonly cluster: string;
  readonly network: MadeNetwork | GivenNetwork;
}

export class Network extends Construct {
  readonly vpcId: string;
  readonly publicSubnetId: string;
  readonly publicZone: string;
  readonly privateSubnetIds: readonly [string, string];
  /** Routes out: a machine that starts before them finds no way out. */
  readonly publicRoutes: readonly TerraformResource[];
  readonly privateRoutes: readonly TerraformResource[];

  constructor(scope: Construct, id: string, { cluster, network }: NetworkProps) {
    super(scope, id);
    const made = "cidr" in network ? make(this, cluster, network) : take(this, network);
    this.vpcId = made.vpcId;
    this.publicSubnetId = made.publicSubnetId;
    this.publicZone = made.publicZone;
    this.privateSubnetIds = made.privateSubnetIds;
    this.publicRoutes = made.publicRoutes;
    this.privateRoutes = made.privateRoutes;
  }
}

type Parts = Omit<Network, keyof Construct>;

function take(scope: Construct, { vpc, publicSubnet, privateSubnets }: GivenNetwork): Parts {
  const found = named("public", new DataAwsSubnet(scope, "public", { id: publicSubnet }));
  return {
    vpcId: vpc,
    publicSubnetId: publicSubnet,
    publicZone: found.availabilityZone,
    privateSubnetIds: privateSubnets,
    publicRoutes: [],
    privateRoutes: [],
  };
}

function make(scope: Construct, cluster: string, { cidr }: MadeNetwork): Parts {
  const tags = (name: string) => ({ Name: visibleName(cluster, name) });
  const vpc = named(
    "main",
    new Vpc(scope, "vpc", {
      cidrBlock: cidr,
      enableDnsSupport: true,
      enableDnsHostnames: true,
      tags: tags("vpc"),
    }),
  );
  // Without rules: what is put into the VPC by hand has no way in or out until someone thinks about it.
  named("unused", new DefaultSecurityGroup(scope, "default", { vpcId: vpc.id, tags: tags("unused") }));
  const zones = named(
    "here",
    new DataAwsAvailabilityZones(scope, "zones", {
      state: "available",
      // No local zones, which few instance types exist in.
      filter: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
    }),
  );
  const subnet = (name: string, number: number, zone: number) =>
    named(
      name,
      new Subnet(scope, name, {
        vpcId: vpc.id,
        cidrBlock: Fn.cidrsubnet(cidr, 4, number),
        availabilityZone: Fn.element(zones.names, zone),
        mapPublicIpOnLaunch: false,
        tags: tags(name),
        // A zone that opens later must not move a subnet and all in it.
        lifecycle: { ignoreChanges: ["availability_zone"] },
      }),
    );
  const publicSubnet = subnet("public", 0, 0);
  const privateA = subnet("private-a", 1, 0);
  const privateB = subnet("private-b", 2, 1);

  const internet = named(
    "main",
    new InternetGateway(scope, "internet", { vpcId: vpc.id, tags: tags("internet") }),
  );
  const address = named("nat", new Eip(scope, "nat-address", { domain: "vpc", tags: tags("nat") }));
  const nat = named(
    "main",
    new NatGateway(scope, "nat", {
      subnetId: publicSubnet.id,
      allocationId: address.id,
      tags: tags("nat"),
      dependsOn: [internet],
    }),
  );
  return {
    vpcId: vpc.id,
    publicSubnetId: publicSubnet.id,
    publicZone: publicSubnet.availabilityZone,
    privateSubnetIds: [privateA.id, privateB.id],
    publicRoutes: routes("public", { gatewayId: internet.id }, [publicSubnet]),
    privateRoutes: routes("private", { natGatewayId: nat.id }, [privateA, privateB]),
  };

  function routes(
    name: string,
    gateway: { readonly gatewayId: string } | { readonly natGatewayId: string },
    subnets: readonly Subnet[],
  ): TerraformResource[] {
    const table = named(name, new RouteTable(scope, `${name}-table`, { vpcId: vpc.id, tags: tags(name) }));
    const route = named(
      name,
      new Route(scope, `${name}-route`, {
        routeTableId: table.id,
        destinationCidrBlock: "0.0.0.0/0",
        ...gateway,
      }),
    );
    const associations = subnets.map((inside) =>
      named(
        inside.node.id,
        new RouteTableAssociation(scope, `${inside.node.id}-association`, {
          subnetId: inside.id,
          routeTableId: table.id,
        }),
      ),
    );
    return [route, ...associations];
  }
}

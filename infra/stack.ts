/** A cluster's machines, in one stack: read it from top to bottom, as packets go. */
import { Access } from "./access.ts";
import { Balancer } from "./balancer.ts";
import {
  AwsProvider,
  type Construct,
  DataAwsRoute53Zone,
  LocalBackend,
  Route53Record,
  S3Backend,
  TerraformStack,
} from "./cdktf.ts";
import { APP_DISK, BALANCER_DISK } from "./disks.ts";
import { Firewall } from "./firewall.ts";
import { Images } from "./image.ts";
import { Machine } from "./machine.ts";
import { named } from "./named.ts";
import { Network } from "./network.ts";
import { AWS_PROVIDER_VERSION } from "./provider-version.ts";
import type { StackSettings } from "./settings.ts";

export class ClusterStack extends TerraformStack {
  constructor(scope: Construct, settings: StackSettings) {
    super(scope, "cluster");
    this.#foundation(settings);
    const network = new Network(this, "network", settings);
    const firewall = new Firewall(this, "firewall", { settings, vpcId: network.vpcId });
    const access = new Access(this, "access", settings);
    const common = {
      settings,
      images: new Images(this, settings.image),
      keyName: access.keyName,
      instanceProfile: access.instanceProfile,
    };
    const balancer = new Balancer(this, "front", {
      ...common,
      type: settings.balancerType,
      subnetId: network.publicSubnetId,
      zone: network.publicZone,
      groupId: firewall.balancerGroupId,
      disk: BALANCER_DISK,
      after: [...network.publicRoutes, ...firewall.balancerRules],
    });
    const nodes = settings.nodes.map((name) => {
      const { instance } = new Machine(this, name, {
        ...common,
        type: settings.appType,
        subnetId: network.privateSubnetIds[subnetOf(name)],
        groupId: firewall.appGroupId,
        journalVolume: null,
        disk: APP_DISK,
        after: [...network.privateRoutes, ...firewall.appRules],
      });
      return [name, { instance_id: instance.id, private_ip: instance.privateIp }] as const;
    });
    if (settings.dns) this.#dns(settings.dns, balancer.address);
    this.#outputs({
      balancer: {
        instance_id: balancer.instanceId,
        private_ip: balancer.privateIp,
        address: balancer.address,
      },
      nodes: Object.fromEntries(nodes),
      // For whoever comes with another key: of the pair itself nothing is left once somebody removed it.
      public_key: settings.publicKey,
    });
  }

  /** Which Terraform, which provider, where the state is. */
  #foundation({ cluster, region, profile, state, tags }: StackSettings): void {
    new AwsProvider(this, "aws", {
      region,
      ...(profile === null ? {} : { profile }),
      defaultTags: [{ tags: { ...tags, Cluster: cluster, ManagedBy: "lbctl" } }],
    });
    this.addOverride("terraform.required_providers.aws.version", AWS_PROVIDER_VERSION);
    // Locks of its own in S3 came with 1.10, in Terraform and in OpenTofu.
    this.addOverride("terraform.required_version", state.backend === "s3" ? ">= 1.10" : ">= 1.6");
    if (state.backend === "local") {
      new LocalBackend(this, { path: "terraform.tfstate" });
      return;
    }
    new S3Backend(this, {
      bucket: state.bucket,
      key: state.key,
      region: state.region,
      encrypt: true,
      ...(profile === null ? {} : { profile }),
    });
    this.addOverride("terraform.backend.s3.use_lockfile", true);
  }

  #dns({ zone, name }: { readonly zone: string; readonly name: string }, address: string): void {
    const found = named("main", new DataAwsRoute53Zone(this, "zone", { name: zone }));
    named(
      "balancer",
      new Route53Record(this, "record", {
        zoneId: found.zoneId,
        name,
        type: "A",
        ttl: 60,
        records: [address],
      }),
    );
  }

  /** Written as they are: cdktf's TerraformOutput calls what Node.js warns of to everybody's terminal. */
  #outputs(outputs: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(outputs)) this.addOverride(`output.${name}.value`, value);
  }
}

/** In turn, by its own number: whichever others there are, a node stays in its zone. */
function subnetOf(node: string): 0 | 1 {
  return Number(/\d+$/.exec(node)?.[0] ?? 1) % 2 === 1 ? 0 : 1;
}

/** What the machines of a cluster are to be: plain data, so that the CLI needs nothing of CDKTF to know it. */

export type Architecture = "x86_64" | "arm64";

export interface MadeNetwork {
  /** Of the VPC, /16 to /24; the subnets are cut from it. */
  readonly cidr: string;
}

/** A VPC that is there already; its routes (internet for the public subnet, NAT for the private ones) are its owner's. */
export interface GivenNetwork {
  readonly vpc: string;
  readonly publicSubnet: string;
  readonly privateSubnets: readonly [string, string];
}

export interface StackSettings {
  /** Of the cluster: part of every name and tag. */
  readonly cluster: string;
  readonly region: string;
  /** A profile of the AWS configuration; null: what the AWS chain finds. */
  readonly profile: string | null;
  /** `app1` … in the order in which they were added. */
  readonly nodes: readonly string[];
  readonly balancerType: string;
  readonly appType: string;
  /** An AMI; null: the newest Debian 12 at the time when a machine is made. */
  readonly image: string | null;
  /** `ssm`: by Session Manager, no port 22 anywhere. `ssh`: from adminAddresses to the balancer, and on from there. */
  readonly access: "ssm" | "ssh";
  /** CIDR blocks, each written in one way, that may reach adminPorts and, with access `ssh`, port 22 of the balancer. */
  readonly adminAddresses: readonly string[];
  /** CIDR blocks that clients come from. */
  readonly trafficAddresses: readonly string[];
  readonly trafficPorts: readonly number[];
  /** Stats page and admin API, and the pages of what monitors. */
  readonly adminPorts: readonly number[];
  /** Of a node, for the balancer's machine: the app, and what Prometheus asks. */
  readonly nodePorts: readonly number[];
  /** OpenSSH's one-line form. */
  readonly publicKey: string;
  readonly network: MadeNetwork | GivenNetwork;
  /** A name in a Route 53 zone that is there already. */
  readonly dns: { readonly zone: string; readonly name: string } | null;
  readonly journal: {
    /** GiB */
    readonly size: number;
    /** Terraform then refuses whatever would delete the volume. */
    readonly protect: boolean;
  };
  readonly state: LocalState | S3State;
  readonly tags: Readonly<Record<string, string>>;
}

export interface LocalState {
  readonly backend: "local";
}

/** A bucket that is there already; the lock is a file beside the state. */
export interface S3State {
  readonly backend: "s3";
  readonly bucket: string;
  readonly key: string;
  readonly region: string;
}

/** Every Graviton family has a g after its number: t4g, m7g, c8gn. */
export function architectureOf(instanceType: string): Architecture {
  return /^[a-z]+\d+g[a-z]*\./.test(instanceType) || instanceType.startsWith("a1.") ? "arm64" : "x86_64";
}

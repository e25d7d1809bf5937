/** What is wrong with `aws:` of lbctl.yaml beyond what its schema can say of one key alone. Pure. */
import { parseBlock, whichBlock } from "../address-block.ts";
import { USUAL_PORTS } from "../monitoring-ports.ts";
import { type AwsConfig, TAG, TAG_CHARACTERS } from "./aws-config.ts";

/** A block of more addresses than this is no office, VPN or home: IPv4 and IPv6. */
const WIDEST_ADMIN_BLOCK = { 4: 8, 6: 16 };

/** lbctl's own; another value would be lost. */
const OWN_TAGS = ["Cluster", "ManagedBy", "Name"];

/** AWS takes 50 on a resource. */
const MOST_TAGS = 50 - OWN_TAGS.length;

/** On the balancer's machine or on a node's. */
const TAKEN: Readonly<Record<number, string>> = {
  22: "SSH",
  [USUAL_PORTS.grafana]: "Grafana",
  [USUAL_PORTS.prometheus]: "Prometheus",
  9093: "Alertmanager",
  [USUAL_PORTS.nodeExporter]: "node_exporter",
};

/** @returns a line for each, with its path */
export function awsProblems(
  aws: AwsConfig,
  ports: Readonly<Record<"traffic" | "admin" | "apps", number>>,
): string[] {
  return [
    ...portProblems(ports),
    ...adminProblems(aws),
    ...clientProblems(aws),
    ...networkProblems(aws.network),
    ...dnsProblems(aws.dns),
    ...tagProblems(aws.tags),
  ];
}

function portProblems(ports: Readonly<Record<"traffic" | "admin" | "apps", number>>): string[] {
  return (["traffic", "admin", "apps"] as const).flatMap((name) => {
    const owner = TAKEN[ports[name]];
    return owner ? [`ports/${name}: expected another port than ${owner}'s, got ${ports[name]}`] : [];
  });
}

function adminProblems({ access, adminAddresses }: AwsConfig): string[] {
  if (access === "ssh" && adminAddresses.length === 0) {
    return ["aws/adminAddresses: expected the blocks that SSH comes from (aws/access: ssh), got none"];
  }
  if (access === "ssh" && !someIPv4(adminAddresses)) {
    return [
      `aws/adminAddresses: expected an IPv4 block for SSH (aws/access: ssh; machines have no IPv6), got ${adminAddresses.join(", ")}`,
    ];
  }
  const wide = adminAddresses.filter((text) => {
    const block = parseBlock(text);
    return block && block.prefix < WIDEST_ADMIN_BLOCK[block.version];
  });
  const { 4: v4, 6: v6 } = WIDEST_ADMIN_BLOCK;
  return wide.map(
    (block) =>
      `aws/adminAddresses: expected the addresses of administrators, at most a /${v4} (IPv6: /${v6}), got ${block}`,
  );
}

function clientProblems({ trafficAddresses }: AwsConfig): string[] {
  if (someIPv4(trafficAddresses)) return [];
  return [
    `aws/trafficAddresses: expected an IPv4 block among them, as the balancer's address is one, got ${trafficAddresses.join(", ")}`,
  ];
}

function someIPv4(blocks: readonly string[]): boolean {
  return blocks.some((text) => parseBlock(text)?.version === 4);
}

/** RFC 1918 and RFC 6598: whatever else is behind a NAT gateway, nodes could not reach. */
const PRIVATE = /^(10|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./;

function networkProblems(network: AwsConfig["network"]): string[] {
  if (!("cidr" in network)) {
    const { publicSubnet, privateSubnets } = network;
    return privateSubnets.includes(publicSubnet)
      ? [`aws/network/privateSubnets: expected other subnets than publicSubnet, got ${publicSubnet}`]
      : [];
  }
  const block = parseBlock(network.cidr);
  const got = `got ${JSON.stringify(network.cidr)}`;
  if (block?.version !== 4 || block.prefix < 16 || block.prefix > 24 || !PRIVATE.test(block.text)) {
    return [`aws/network/cidr: expected a private IPv4 block from /16 to /24, like 10.80.0.0/16, ${got}`];
  }
  return block.inside ? [`aws/network/cidr: expected ${whichBlock(network.cidr, block)}, ${got}`] : [];
}

function dnsProblems(dns: AwsConfig["dns"]): string[] {
  if (dns === null) return [];
  const [zone, name] = [dns.zone.toLowerCase(), dns.name.toLowerCase()];
  if (name === zone || name.endsWith(`.${zone}`)) return [];
  return [
    `aws/dns/name: expected a name in the zone ${dns.zone}, like lb.${dns.zone}, got ${JSON.stringify(dns.name)}`,
  ];
}

/** https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html */
function tagProblems(tags: AwsConfig["tags"]): string[] {
  const keys = Object.keys(tags);
  if (keys.length > MOST_TAGS) return [`aws/tags: expected at most ${MOST_TAGS} tags, got ${keys.length}`];
  return keys.flatMap((key, index) => {
    const twin = keys.slice(0, index).find((other) => other.toLowerCase() === key.toLowerCase());
    const expected =
      tagExpected(key) ??
      (twin === undefined ? null : `another key than ${twin}, which IAM takes for the same`);
    return expected === null ? [] : [`aws/tags: expected ${expected}, got ${JSON.stringify(key)}`];
  });
}

function tagExpected(key: string): string | null {
  if (key === "" || key.length > 128) return "keys of 1 to 128 characters";
  if (!TAG.test(key)) return `keys of ${TAG_CHARACTERS}`;
  if (/^aws:/i.test(key)) return "keys that do not begin with aws:, which AWS keeps for itself";
  if (OWN_TAGS.some((own) => own.toLowerCase() === key.toLowerCase()))
    return `other keys than lbctl's own (${OWN_TAGS.join(", ")})`;
  return null;
}

/** A picture of a synthesized stack, as SVG: what is in which subnet, and who may talk to whom, read from the stack. */

type Values = Readonly<Record<string, unknown>>;
type Named = Readonly<Record<string, Values>>;

export interface Drawable {
  readonly resource: Readonly<Record<string, Named>>;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const WIDTH = 960;
const NODE = { width: 150, height: 44, gap: 14 };
const PUBLIC: Box = { x: 290, y: 70, width: 640, height: 150 };
const BALANCER: Box = { x: 320, y: 105, width: 260, height: 96 };
const NAT: Box = { x: 740, y: 120, width: 160, height: 56 };
const PRIVATE_TOP = 290;

/** @param stack what synthesize() made, parsed; of a VPC that is made with it */
export function drawStack({ resource }: Drawable): string {
  const of = (type: string): Named => resource[type] ?? {};
  const nodes = (subnet: string) =>
    Object.entries(of("aws_instance")).filter(
      ([, { subnet_id }]) => subnet_id === `\${aws_subnet.${subnet}.id}`,
    );
  const zones = (["private-a", "private-b"] as const).map((name) => ({ name, nodes: nodes(name) }));
  const rows = Math.max(...zones.map((zone) => zone.nodes.length));
  const height = PRIVATE_TOP + 20 + rows * (NODE.height + NODE.gap);
  const balancer = of("aws_instance").balancer ?? {};
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height + 50}" font-family="sans-serif" font-size="13">`,
    "<title>What lbctl makes at AWS</title>",
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#444"/></marker></defs>',
    `<rect width="${WIDTH}" height="${height + 50}" fill="#fff"/>`,
    group({ x: 270, y: 30, width: 680, height }, `VPC ${of("aws_vpc").main?.cidr_block}`, "#f6f8fa"),
    group(PUBLIC, "public subnet", "#eaf5ea"),
    ...zones.map(({ name }, index) =>
      group(zoneBox(index, rows), `${name.replace("-", " subnet ")}`, "#eaf0fa"),
    ),
    box(BALANCER, ["balancer", String(balancer.instance_type), journal(of), "elastic address"], "#fff"),
    box(NAT, ["NAT gateway", "way out for nodes"], "#fff"),
    ...zones.flatMap((zone, index) =>
      zone.nodes.map(([name, { instance_type }], row) =>
        box(nodeBox(index, row), [name, String(instance_type)], "#fff"),
      ),
    ),
    ...outside(of),
    ...inside(of, rows),
    "</svg>",
  ].join("\n")}\n`;
}

function journal(of: (type: string) => Named): string {
  const { size, encrypted } = of("aws_ebs_volume").journal ?? {};
  return `journal: ${size} GiB of its own${encrypted ? ", encrypted" : ""}`;
}

/** Who comes in from outside, by the balancer's rules. */
function outside(of: (type: string) => Named): string[] {
  const rules = Object.values(of("aws_vpc_security_group_ingress_rule")).filter(
    ({ security_group_id, cidr_ipv4 }) =>
      security_group_id === ref("aws_security_group.balancer.id") && cidr_ipv4,
  );
  const sources = Map.groupBy(rules, ({ cidr_ipv4 }) => String(cidr_ipv4));
  const bySession = of("aws_iam_role").machine !== undefined;
  const arrows = [...sources].map(([from, list]) => ({
    from: from === "0.0.0.0/0" ? "everybody" : from,
    label: list.map(({ from_port }) => from_port).join(", "),
  }));
  if (bySession) arrows.push({ from: "Session Manager", label: "no port" });
  return arrows.flatMap(({ from, label }, index) => {
    const y = 115 + index * 34;
    return [text(20, y + 4, from, "start"), ...arrow(135, y, BALANCER.x, y, label)];
  });
}

/** What the balancer and its nodes may say to each other, and the way out. */
function inside(of: (type: string) => Named, rows: number): string[] {
  const between = Object.values(of("aws_vpc_security_group_ingress_rule"))
    .filter(({ referenced_security_group_id: from }) => from === ref("aws_security_group.balancer.id"))
    .map(({ from_port }) => from_port)
    .join(", ");
  const out = Object.values(of("aws_vpc_security_group_egress_rule"))
    .filter(
      ({ security_group_id, cidr_ipv4 }) =>
        security_group_id === ref("aws_security_group.apps.id") && cidr_ipv4,
    )
    .map(({ from_port }) => from_port)
    .join(", ");
  const [left, right] = [zoneBox(0, rows), zoneBox(1, rows)];
  return [
    ...arrow(400, BALANCER.y + BALANCER.height, 400, left.y, between),
    ...arrow(540, BALANCER.y + BALANCER.height, right.x + 60, right.y, ""),
    ...arrow(840, right.y, 840, NAT.y + NAT.height, out),
  ];
}

/** As Terraform writes a reference. */
function ref(address: string): string {
  return `\${${address}}`;
}

function zoneBox(index: number, rows: number): Box {
  return {
    x: index === 0 ? 290 : 630,
    y: PRIVATE_TOP,
    width: 300,
    height: 30 + rows * (NODE.height + NODE.gap),
  };
}

function nodeBox(zone: number, row: number): Box {
  const { x, y } = zoneBox(zone, 0);
  return { x: x + 75, y: y + 30 + row * (NODE.height + NODE.gap), width: NODE.width, height: NODE.height };
}

function group({ x, y, width, height }: Box, title: string, fill: string): string {
  return [
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="6" fill="${fill}" stroke="#aab"/>`,
    text(x + 12, y + 20, title, "start", "#555"),
  ].join("");
}

function box({ x, y, width, height }: Box, lines: readonly string[], fill: string): string {
  const top = y + height / 2 - (lines.length - 1) * 9 + 4;
  return [
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="4" fill="${fill}" stroke="#333"/>`,
    ...lines.map((line, index) =>
      text(x + width / 2, top + index * 18, line, "middle", index === 0 ? "#000" : "#555"),
    ),
  ].join("");
}

function arrow(x1: number, y1: number, x2: number, y2: number, label: string): string[] {
  const vertical = Math.abs(y2 - y1) > Math.abs(x2 - x1);
  const [x, y] = vertical ? [(x1 + x2) / 2 + 8, (y1 + y2) / 2 + 4] : [(x1 + x2) / 2, y1 - 5];
  return [
    `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#444" marker-end="url(#arrow)"/>`,
    ...(label === "" ? [] : [text(x, y, label, vertical ? "start" : "middle")]),
  ];
}

function text(x: number, y: number, content: string, anchor: string, fill = "#222"): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${fill}">${escaped}</text>`;
}

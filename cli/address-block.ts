/** Blocks of addresses as people write them, as firewalls take them. Pure. */
import { isIP } from "node:net";
import { z } from "zod";

export interface AddressBlock {
  readonly version: 4 | 6;
  /** How many bits all of its addresses share: 24 of 192.0.2.0/24. */
  readonly prefix: number;
  /** The one way to write it: its first address, IPv6 short and in small letters. */
  readonly text: string;
  /** Whether it was written with another address than its first, so that nobody knows which block is meant. */
  readonly inside: boolean;
}

const BITS = { 4: 32, 6: 128 };

/** @param text `192.0.2.0/24`, or one address; null: it is neither */
export function parseBlock(text: string): AddressBlock | null {
  const [address = "", length, ...more] = text.split("/");
  const version = isIP(address);
  // A zone (fe80::1%eth0) is of one machine.
  if ((version !== 4 && version !== 6) || address.includes("%") || more.length > 0) return null;
  const prefix = length === undefined ? BITS[version] : Number(length);
  if (!/^\d{1,3}$/.test(length ?? "0") || prefix > BITS[version]) return null;
  const parts = version === 4 ? address.split(".").map(Number) : groups(address);
  const first = firstOf(parts, version === 4 ? 8 : 16, prefix);
  return {
    version,
    prefix,
    text: `${version === 4 ? first.join(".") : shortest(first)}/${prefix}`,
    inside: first.some((part, index) => part !== parts[index]),
  };
}

/** For lbctl.yaml: an address or a block, as it was written. */
export const addressOrBlock = z
  .string({ error: "an address or a block like 10.0.0.0/24" })
  .superRefine((text, context) => {
    const block = parseBlock(text);
    if (block && !block.inside) return;
    const message = block ? whichBlock(text, block) : "an address or a block like 10.0.0.0/24";
    context.addIssue({ code: "custom", message, input: text });
  });

/** The same, in the one way to write it. */
export const addressBlock = addressOrBlock.transform((text) => parseBlock(text)?.text ?? text);

/** What was expected of a block that was written with another address than its first. */
export function whichBlock(text: string, block: AddressBlock): string {
  return `a block by its first address: ${block.text}, or only ${text.split("/")[0]}`;
}

function firstOf(parts: readonly number[], width: number, prefix: number): number[] {
  return parts.map((part, index) => {
    const kept = Math.min(width, Math.max(0, prefix - index * width));
    return part & (-1 << (width - kept));
  });
}

/** The eight numbers of an IPv6 address. */
function groups(address: string): number[] {
  const [head = "", tail = ""] = short(address).split("::");
  const numbers = (text: string) =>
    text === "" ? [] : text.split(":").map((part) => Number.parseInt(part, 16));
  const [before, after] = [numbers(head), numbers(tail)];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function shortest(numbers: readonly number[]): string {
  return short(numbers.map((number) => number.toString(16)).join(":"));
}

/** As URLs have it, which know one way to write an address. https://url.spec.whatwg.org/#concept-ipv6-serializer */
function short(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

import { BlockList, isIPv6, type Socket } from "node:net";

/** The other end of a connection, looked up once for all its requests. */
export interface Peer {
  /** Without the ::ffff: of an IPv4 address on an IPv6 socket. */
  readonly address: string;
  /** What it says about where a request came from is believed. */
  readonly trusted: boolean;
}

/** Knows the peers of open connections. */
export class Peers {
  readonly #trusted: BlockList;
  readonly #known = new WeakMap<Socket, Peer>();

  /** @param trustedProxies addresses and CIDR blocks, as the config has them */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = blockList(trustedProxies);
  }

  of(socket: Socket): Peer {
    const known = this.#known.get(socket);
    if (known !== undefined) return known;
    const address = (socket.remoteAddress ?? "unknown").replace(/^::ffff:(?=\d+\.)/i, "");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    const peer = { address, trusted: address !== "unknown" && this.#trusted.check(address, family) };
    this.#known.set(socket, peer);
    return peer;
  }
}

function blockList(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [address = "", bits] = block.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

/**
 * All acks of one record, packed into one blob: nine rows of a table would cost the worker three times as
 * much, and as much again whenever the journal is opened and checked.
 */

/** An ack as it is stored: nodes by their number, since a name may be given again to another node. */
export interface PackedAck {
  readonly node: number;
  readonly status: number;
  readonly attempts: number;
  readonly ambiguous: boolean;
  readonly firstAt: number;
  readonly at: number;
}

/** Bytes of an entry: node 2, status 2, attempts 2, flags 2, firstAt 8, at 8. The blob's first byte says it. */
const ENTRY = 24;

export function packAcks(acks: readonly PackedAck[]): Buffer {
  const packed = Buffer.alloc(1 + acks.length * ENTRY);
  let at = packed.writeUInt8(ENTRY, 0);
  for (const ack of acks) {
    at = packed.writeUInt16LE(ack.node, at);
    at = packed.writeUInt16LE(ack.status, at);
    at = packed.writeUInt16LE(Math.min(ack.attempts, 0xffff), at);
    at = packed.writeUInt16LE(ack.ambiguous ? 1 : 0, at);
    at = packed.writeDoubleLE(ack.firstAt, at);
    at = packed.writeDoubleLE(ack.at, at);
  }
  return packed;
}

/** A newer minor format may have longer entries; what it added comes behind. */
export function unpackAcks(packed: Uint8Array): PackedAck[] {
  const view = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const entry = view.readUInt8(0);
  const acks: PackedAck[] = [];
  for (let at = 1; at < view.length; at += entry) {
    acks.push({
      node: view.readUInt16LE(at),
      status: view.readUInt16LE(at + 2),
      attempts: view.readUInt16LE(at + 4),
      ambiguous: (view.readUInt16LE(at + 6) & 1) === 1,
      firstAt: view.readDoubleLE(at + 8),
      at: view.readDoubleLE(at + 16),
    });
  }
  return acks;
}

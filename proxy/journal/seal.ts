/**
 * The key file, and what is derived from it: seals for what is kept on disk, and MACs that stand in for keys
 * and fingerprints, so that neither the journal nor its copies tell anything about a password or a username.
 */

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { LbError } from "../errors.ts";
import { createDurably, makeFolder } from "./durable-file.ts";

/** Layout of a seal: version 1, key id 8, salt 16, counter 12, ciphertext, tag 16. */
const VERSION = 1;
const SALT_AT = 9;
const NONCE_AT = 25;
const TEXT_AT = 37;
const TAG = 16;
/** Bytes that a seal adds to what it holds. */
export const SEAL_OVERHEAD = TEXT_AT + TAG;
/** Keys of earlier openings of the journal that are kept at hand. */
const SESSIONS = 64;

/** Reads the key file; `make` writes a new random one, 0600, where there is none. */
export function loadKey(file: string, make: boolean): Buffer {
  if (!existsSync(file)) {
    if (!make) {
      throw new LbError(
        "journal_wrong_key",
        `key file ${file}: expected the key of the existing journal, got no file`,
      );
    }
    makeFolder(dirname(file));
    createDurably(file, `lb-key 1 ${randomBytes(32).toString("hex")}\n`);
  }
  const match = /^lb-key 1 ([0-9a-f]{64})\n?$/.exec(readFileSync(file, "latin1"));
  if (match?.[1]) return Buffer.from(match[1], "hex");
  throw new LbError(
    "journal_wrong_key",
    `key file ${file}: expected one line "lb-key 1 <64 hex digits>", got something else`,
  );
}

/** Names a key without telling anything about it: 16 hex digits, stored with the journal and in each seal. */
export function keyId(master: Uint8Array): string {
  return derive(master, "key id", 8).toString("hex");
}

/** Seals and opens what is kept on disk. */
export class Sealer {
  readonly #master: Uint8Array;
  readonly #head: Buffer;
  readonly #key: KeyObject;
  readonly #sessions = new Map<string, KeyObject>();
  #count = 0;

  constructor(master: Uint8Array) {
    this.#master = master;
    // A key of its own for each opening of the journal, so that a plain counter is a nonce that never repeats:
    // random nonces under one key are good for 2^32 seals only (NIST SP 800-38D, 8.3).
    const salt = randomBytes(NONCE_AT - SALT_AT);
    this.#head = Buffer.concat([Buffer.of(VERSION), Buffer.from(keyId(master), "hex"), salt]);
    this.#key = this.#session(salt);
  }

  /** `context` says what this is (seq, path, …): a seal that is moved to another row does not open there. */
  seal(context: string, plain: Uint8Array): Buffer {
    const sealed = Buffer.allocUnsafe(plain.length + SEAL_OVERHEAD);
    this.#head.copy(sealed);
    sealed.fill(0, NONCE_AT, TEXT_AT);
    sealed.writeUIntBE(this.#count++, TEXT_AT - 6, 6);
    const cipher = createCipheriv("aes-256-gcm", this.#key, sealed.subarray(NONCE_AT, TEXT_AT));
    cipher.setAAD(Buffer.from(context));
    cipher.update(plain).copy(sealed, TEXT_AT);
    cipher.final();
    cipher.getAuthTag().copy(sealed, TEXT_AT + plain.length);
    return sealed;
  }

  /** Throws journal_wrong_key for a seal made with another key, journal_corrupt for one that does not open. */
  open(context: string, sealed: Uint8Array): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    if (bytes.length < SEAL_OVERHEAD || bytes[0] !== VERSION) {
      throw new LbError(
        "journal_corrupt",
        `seal: expected version ${VERSION}, got ${bytes[0]} in ${bytes.length} bytes`,
      );
    }
    if (!bytes.subarray(1, SALT_AT).equals(this.#head.subarray(1, SALT_AT))) {
      throw new LbError(
        "journal_wrong_key",
        `seal: made with key ${bytes.toString("hex", 1, SALT_AT)}, got key ${keyId(this.#master)}`,
      );
    }
    const key = this.#session(bytes.subarray(SALT_AT, NONCE_AT));
    const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(NONCE_AT, TEXT_AT), {
      authTagLength: TAG,
    });
    decipher.setAAD(Buffer.from(context));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG));
    const plain = decipher.update(bytes.subarray(TEXT_AT, bytes.length - TAG));
    try {
      decipher.final();
    } catch (cause) {
      throw new LbError("journal_corrupt", "seal: it does not belong to this row, or was changed", { cause });
    }
    return plain;
  }

  #session(salt: Uint8Array): KeyObject {
    const name = Buffer.from(salt).toString("hex");
    const known = this.#sessions.get(name);
    if (known) return known;
    const key = createSecretKey(derive(this.#master, "seal", 32, salt));
    if (this.#sessions.size >= SESSIONS) this.#sessions.clear();
    this.#sessions.set(name, key);
    return key;
  }
}

/** What a MAC is made for: each purpose has its own key, so that MACs of two purposes cannot be compared. */
export type MacPurpose = "order" | "idempotency" | "request";
export type MacKeys = Readonly<Record<MacPurpose, Uint8Array>>;

/** The main thread gets these, not the master key. */
export function macKeys(master: Uint8Array): MacKeys {
  return {
    order: derive(master, "mac order", 32),
    idempotency: derive(master, "mac idempotency", 32),
    request: derive(master, "mac request", 32),
  };
}

/** HMAC-SHA-256, cut to 128 bits, in hex. Each part goes in with its length: ("ab","c") differs from ("a","bc"). */
export function macOf(key: Uint8Array, parts: readonly (string | Uint8Array)[]): string {
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(`${Buffer.byteLength(part)}:`).update(part);
  return hmac.digest("hex").slice(0, 32);
}

function derive(
  master: Uint8Array,
  purpose: string,
  length: number,
  salt: Uint8Array = Buffer.alloc(0),
): Buffer {
  return Buffer.from(hkdfSync("sha256", master, salt, `lb ${purpose}`, length));
}

import type { IncomingMessage } from "node:http";
import type { WriteRoute } from "./config/config.ts";
import type { Inspected } from "./http/framing.ts";
import { idempotencyKey, withoutNamed } from "./http/headers.ts";
import type { Journal } from "./journal/journal.ts";
import { orderKey } from "./order-key.ts";
import type { NewRecord, StoredRequest } from "./record.ts";

/** The length is that of the body that is kept with it. */
const LENGTH = new Set(["content-length"]);

/** Makes the record that is journaled for a write. Throws LbError idempotency_key_invalid. */
export function newRecord(
  write: {
    readonly request: IncomingMessage;
    readonly inspected: Inspected;
    readonly body: Uint8Array;
    readonly route: WriteRoute;
  },
  mac: Journal["mac"],
): NewRecord {
  const { request, inspected, body, route } = write;
  const stored: StoredRequest = {
    method: request.method ?? "POST",
    target: inspected.target,
    headers: withoutNamed(inspected.headers, LENGTH),
    body,
  };
  const field = route.orderBy === null ? null : orderKey(stored, route.orderBy);
  const clientKey = idempotencyKey(inspected.headers);
  return {
    route: route.name,
    key: field === null ? null : mac("order", field),
    idempotency: clientKey === null ? null : idempotencyOf(clientKey, stored, request, mac),
    request: stored,
  };
}

function idempotencyOf(
  clientKey: string,
  stored: StoredRequest,
  request: IncomingMessage,
  mac: Journal["mac"],
): { key: string; fingerprint: string } {
  const { method, target, body } = stored;
  const type = request.headers["content-type"] ?? "";
  const who = request.headers.authorization ?? "";
  return {
    key: mac("idempotency", clientKey),
    fingerprint: mac("request", method, target, type, who, body),
  };
}

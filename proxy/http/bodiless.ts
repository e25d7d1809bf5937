/** Answers that never have a body, whatever their fields say (RFC 9112 §6.3). */

/** RFC 9110 §6.4.1. */
export function hasBody(status: number): boolean {
  return status !== 204 && status !== 304;
}

/**
 * Whether an answer came in whole although undici reports `error`: it compares Content-Length with the bytes that
 * came, also where there are none to come. RFC 9110 §8.6 lets a 304 say the length that the 200 would have.
 * The connection is gone all the same, so that what a node sends behind such an answer is never taken for another.
 */
export function isWhole(status: number, error: Error): boolean {
  return !hasBody(status) && "code" in error && error.code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH";
}

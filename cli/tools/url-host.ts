/** A host as it stands before a port (RFC 3986 §3.2.2): an IPv6 address in brackets. */
export function urlHost(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

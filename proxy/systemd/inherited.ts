/**
 * Sockets that systemd listens on and hands over (socket activation, sd_listen_fds(3)): they stay open, and take
 * connections, while one balancer ends and the next one starts.
 */

/** File descriptors that are listened on; null: it is for us to listen. */
export interface Inherited {
  readonly traffic: number | null;
  readonly admin: number | null;
}

export const NOTHING_INHERITED: Inherited = { traffic: null, admin: null };

/** The first one's number is fixed. */
const FIRST = 3;

/**
 * What `environment` says was handed to the process `pid`, by the names in the socket units
 * (FileDescriptorName=traffic, =admin). Throws where something else was handed over: nobody would serve it.
 */
export function inheritedSockets(environment: NodeJS.ProcessEnv, pid: number): Inherited {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = "" } = environment;
  if (LISTEN_PID !== String(pid)) return NOTHING_INHERITED;
  const names = LISTEN_FDNAMES.split(":");
  const found: { traffic: number | null; admin: number | null } = { ...NOTHING_INHERITED };
  for (let index = 0; index < Number(LISTEN_FDS); index++) {
    const name = names[index];
    if ((name !== "traffic" && name !== "admin") || found[name] !== null) {
      const got = names.slice(0, Number(LISTEN_FDS)).join(", ");
      throw new Error(`LISTEN_FDNAMES: expected one socket named traffic, one named admin, got ${got}`);
    }
    found[name] = FIRST + index;
  }
  return found;
}

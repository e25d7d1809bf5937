/** The sections `hosts:` and `app:` of lbctl.yaml, checked (hosts-section.ts does that). */

/** How ssh gets to a host; null: as the user's own ssh config says. */
export interface SshLogin {
  readonly user: string | null;
  readonly port: number | null;
  /** Private key file, relative to lbctl.yaml. */
  readonly key: string | null;
}

export interface HostEntry extends SshLogin {
  /** Where ssh reaches it. */
  readonly address: string;
  /** Where the other hosts reach it; null: at `address`. */
  readonly inside: string | null;
}

export interface HostsConfig {
  readonly balancer: HostEntry;
  /** The pool: the first `nodes` of them run app1, app2 … */
  readonly apps: readonly HostEntry[];
  readonly ssh: SshLogin & {
    /** `known`: a host key must be known already. `accept-new`: the first one that a host shows is taken. */
    readonly hostKeys: "known" | "accept-new";
    /** `user@bastion`, as for ssh -J. */
    readonly jump: string | null;
  };
  /** May reach port 1936 and the monitoring host's pages, besides the hosts themselves. */
  readonly adminAddresses: readonly string[];
  readonly monitoring: {
    /** Null: on the balancer's host. */
    readonly host: HostEntry | null;
    readonly prometheus: "distribution" | "artifacts" | "none";
    readonly grafana: "vendor" | "artifacts" | "none";
    /** Folder with packages for hosts without a way out, relative to lbctl.yaml. */
    readonly artifacts: string | null;
  };
}

/** What runs on the app hosts. */
export type AppConfig =
  | { readonly kind: "reference" }
  /** The nodes run theirs already. */
  | { readonly kind: "none" }
  | { readonly kind: "directory"; readonly directory: string; readonly command: string };

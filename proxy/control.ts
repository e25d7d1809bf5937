import type {
  FollowedWrite,
  NodeStatus,
  ResyncRequest,
  ResyncStarted,
  Status,
  VerifyReport,
  WriteDetails,
} from "./api.ts";

/**
 * All that the admin listener needs from the balancer. Refusals are thrown as LbError: `unknown_node`,
 * `unknown_write`, `last_in_sync`, `not_set_aside`, …; anything else that is thrown is our bug and answered with 500.
 */
export interface Control {
  /** Cheap and synchronous: asked once a second by every open stats page, and by each scrape. */
  status(): Status;
  /** ≥ minInSync nodes are in-sync, and the balancer is not shutting down. */
  isReady(): boolean;

  /** Finishes what is in flight, takes no reads. Refused for the last in-sync node unless `force`. */
  drain(name: string, force: boolean): Promise<NodeStatus>;
  /** Back from draining, maint or quarantined: through catching-up. Refused for a quarantined one unless `force`. */
  ready(name: string, force: boolean): Promise<NodeStatus>;
  /** No reads, no deliveries. Refused for the last in-sync node unless `force`. */
  maint(name: string, force: boolean): Promise<NodeStatus>;
  resync(name: string, request: ResyncRequest): Promise<ResyncStarted>;
  /** The operator's copy (manual resync) is in place. */
  resyncDone(name: string): Promise<NodeStatus>;

  /** `pending`: only those that not every member has acked; else the newest. At most `limit`. */
  writes(pending: boolean, limit: number): Promise<readonly FollowedWrite[]>;
  write(seq: number): Promise<WriteDetails>;
  /** A record that was set aside: delivered again, or skipped for good, on all nodes alike. */
  retryWrite(seq: number): Promise<WriteDetails>;
  skipWrite(seq: number): Promise<WriteDetails>;

  verify(): Promise<VerifyReport>;
}

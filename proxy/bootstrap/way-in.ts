import type { Member } from "../cluster.ts";
import type { Journal } from "../journal/journal.ts";
import type { UpstreamNode } from "../node.ts";

/** How a node without history can be given it now. */
export type WayIn =
  | { readonly kind: "replay" }
  | { readonly kind: "snapshot"; readonly donor: Member; readonly path: string }
  /** Not now; `note` says why and what to do. */
  | { readonly kind: "none"; readonly note: string };

export interface Circumstances {
  readonly journal: Pick<Journal, "first" | "foundedEmpty">;
  /** Where the app gives and takes snapshots, or null. */
  readonly path: string | null;
  /** In the order in which they are to be tried. */
  readonly donors: readonly Member[];
}

/** Replay where the journal is whole and the node empty, else a snapshot where the app offers it, else by hand. */
export function wayIn(node: UpstreamNode, { journal, path, donors }: Circumstances): WayIn {
  const whole = journal.first === 1 && journal.foundedEmpty;
  if (node.empty && node.blank && whole) return { kind: "replay" };
  if (path === null) return { kind: "none", note: byHand(node) };
  const [donor] = donors;
  if (donor === undefined) return { kind: "none", note: "waits for an in-sync node to copy from" };
  return { kind: "snapshot", donor, path };
}

function byHand({ name, empty }: UpstreamNode): string {
  const why = empty
    ? "the journal does not reach back to an empty beginning"
    : "it is not declared empty, and what it holds is not known";
  return `cannot be brought in by itself: ${why}, and the app offers no snapshot; lbctl nodes resync ${name} --from DONOR --manual`;
}

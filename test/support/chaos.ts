/** Round after round of faults under one load, then the audit. */

import type { TestContext } from "node:test";
import { seededRandom } from "../../cli/bench/random.ts";
import type { WriteStory } from "../../proxy/api.ts";
import { audit } from "./audit.ts";
import { acknowledged, type Bed, startBed } from "./bed.ts";
import { inflict, planRounds, type Round } from "./faults.ts";
import type { Load } from "./load.ts";

/** The rounds follow from the seed alone; what meets what within a round is the machine's. */
export async function runChaos(
  t: TestContext,
  { rounds, seed, nodes = 3 }: { readonly rounds: number; readonly seed: number; readonly nodes?: number },
): Promise<void> {
  const plan = planRounds(rounds, nodes, seededRandom(seed));
  const bed = await startBed(t, { nodes, seed });
  try {
    for (const [index, round] of plan.entries()) {
      t.diagnostic(`round ${index + 1}: ${described(round)}`);
      await playRound(bed, round);
      if (anyFinding(bed.load)) break; // the audit says which
    }
    await audit(bed.load, bed.balancer, bed.apps);
  } catch (error) {
    t.diagnostic(await stateOf(bed));
    throw error;
  }
  const faults = Object.fromEntries(
    Map.groupBy(plan, ({ fault }) => fault)
      .entries()
      .map(([name, all]) => [name, all.length]),
  );
  t.diagnostic(`seed ${seed}, ${rounds} rounds: ${JSON.stringify({ ...faults, ...bed.load.counts })}`);
}

async function playRound(bed: Bed, round: Round): Promise<void> {
  await inflict(bed, round);
  if (round.recovers) for (const { name } of bed.apps) await bed.balancer.reached(name, "in-sync", 30_000);
  await acknowledged(bed.load, 5);
}

function described({ fault, first, second, lasts }: Round): string {
  return `${fault}, app${first + 1} (app${second + 1}), ${lasts} ms`;
}

/** For whoever has to find out what went wrong. */
async function stateOf({ balancer, load }: Bed): Promise<string> {
  const { nodes, head } = await balancer.status();
  const writes = await balancer.admin<WriteStory[]>("/api/writes?limit=30");
  return [
    JSON.stringify({ head, ...load.counts }),
    ...nodes.map(
      ({ name, state, reason, cursor, inFlightWrites }) =>
        `${name} ${state} (${reason}) ${cursor} +${inFlightWrites}`,
    ),
    ...writes.map(
      ({ seq, outcome, setAside, acks }) => `${seq} → ${outcome}${setAside ? " aside" : ""}: ${shown(acks)}`,
    ),
    balancer.output().slice(-8_000),
  ].join("\n");
}

function shown(acks: WriteStory["acks"]): string {
  return acks
    .map(({ node, status, attempts, ambiguous }) => `${node}=${status}×${attempts}${ambiguous ? "~" : ""}`)
    .join(" ");
}

function anyFinding({ stale, failedReads, wrongWrites }: Load): boolean {
  return stale.length + failedReads.length + wrongWrites.length > 0;
}

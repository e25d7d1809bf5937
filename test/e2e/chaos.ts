/** `npm run test:chaos -- --rounds 100 --seed 7`: as many rounds of random faults as you like, repeatable by seed. */

import { numberFlags } from "../bench/arguments.ts";
import { runChaos } from "../support/chaos.ts";
import { standalone } from "../support/standalone.ts";

const { rounds, nodes, seed } = numberFlags({
  rounds: { default: 100, min: 1, max: 10_000 },
  nodes: { default: 3, min: 3, max: 9 },
  seed: { default: 1, min: 0, max: 2 ** 32 - 1 },
});

await standalone((t) => runChaos(t, { rounds, nodes, seed }));

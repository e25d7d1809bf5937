/** Random faults under load. LB_ROUNDS and LB_SEED choose others; `npm run test:chaos` is the long form. */

import { test } from "node:test";
import { runChaos } from "../support/chaos.ts";

const rounds = Number(process.env.LB_ROUNDS ?? 20);
const seed = Number(process.env.LB_SEED ?? 1);

test(`${rounds} rounds of random faults, seed ${seed}: every promise holds`, (t) =>
  runChaos(t, { rounds, seed }));

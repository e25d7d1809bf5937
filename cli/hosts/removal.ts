/** Nodes that leave: drained, forgotten by the balancer, and only then stopped on their hosts. */
import { untilReady } from "../balancer-waits.ts";
import { takeOut } from "../removal.ts";
import type { Deployment } from "./deployment.ts";
import { machinesOf } from "./install-machines.ts";
import type { Machine } from "./machines.ts";
import type { RecordedNode } from "./record.ts";

/** @param staying machines of the nodes that the balancer goes on with */
export async function removeNodes(
  deployment: Deployment,
  leaving: readonly RecordedNode[],
  staying: readonly Machine[],
  say: (detail: string) => void,
  note: (text: string) => void,
): Promise<void> {
  const asked = await deployment.ask();
  const names = leaving.map(({ name }) => name);
  const left = machinesOf(leaving, deployment.site);
  const status = await asked.admin.statusIfUp();
  const known = names.filter((name) => status?.nodes.some((node) => node.name === name));
  await deployment.save({ takenOut: [...new Set([...deployment.record.takenOut, ...known])] });
  await takeOut(
    asked,
    known,
    async (gone) => {
      const nodes = deployment.record.nodes.filter(({ name }) => !gone.includes(name));
      await deployment.render(nodes, [...staying, ...left]);
      await deployment.play({ playbook: "balancer", say });
      await untilReady(asked);
      // Not before: stopped in between, the next command would take them for nodes that it need not bring back.
      const takenOut = deployment.record.takenOut.filter((name) => !gone.includes(name));
      await deployment.save({ nodes, takenOut });
    },
    say,
  );
  const stays = leaving.filter(({ name }) => !left.some((machine) => machine.name === name));
  if (stays.length > 0)
    note(`what is on ${stays.map(({ address }) => address).join(", ")}, listed no more, stays`);
  if (left.length === 0) return;
  const limit = left.map(({ name }) => name);
  await deployment.play({ playbook: "destroy", limit, variables: { keep_data: false }, say });
}

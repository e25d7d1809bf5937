/** `npm run lab:up -- --hosts 4` and `npm run lab:down`. */

import { parseArgs } from "node:util";
import { labDown, labUp } from "./lab.ts";
import { FOLDER, PLACE } from "./place.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { hosts: { type: "string", default: "4" } },
});
const [command] = positionals;
const hosts = Number(values.hosts);

if (command === "down") {
  await labDown();
  console.log(`${FOLDER} is gone`);
} else if (command === "up" && Number.isInteger(hosts) && hosts >= 1 && hosts <= 12) {
  const lab = await labUp(hosts);
  for (const { name, address } of lab.hosts) console.log(`${name} ${address}`);
  console.log(`written to ${PLACE.json}; enter its network by: nsenter --net=/run/netns/${lab.netns}`);
} else {
  console.error("usage: main.ts up [--hosts 1 to 12] | down");
  process.exitCode = 2;
}

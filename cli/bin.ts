/** Run as `node cli/bin.ts`, or built and started by bin/lbctl.js. */
import { main } from "./main.ts";

await main(process.argv.slice(2));

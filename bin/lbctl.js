#!/usr/bin/env node
// Plain old JavaScript: this file is read by whatever Node.js the machine has, and finds the one that we bring.
import { runPinned } from "./pinned-node.js";

runPinned("dist/cli/bin.mjs", "lbctl");

#!/usr/bin/env node
import { runPinned } from "./pinned-node.js";

runPinned("dist/proxy.mjs", "lb-proxy");

/** Target `hosts`: the machines that lbctl.yaml lists. */
import { listedMachines } from "./machines.ts";
import { hostsTarget } from "./target.ts";

export const listedHosts = hostsTarget(async (config) => listedMachines(config));

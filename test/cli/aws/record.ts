import { emptyRecord, type HostsRecord } from "../../../cli/hosts/record.ts";

/** Of a cluster at AWS, as the hosts' half leaves it. */
export function awsRecord(nodes: HostsRecord["nodes"]): HostsRecord {
  return {
    ...emptyRecord("shop"),
    target: "aws",
    balancerUrl: "http://198.51.100.7",
    adminPort: 1936,
    adminUser: "admin",
    nodes,
  };
}

/**
 * Checks of checkov's that fail on purpose, and on what: elsewhere the same is a mistake. So is whatever else fails;
 * whatever no longer does is to go.
 */
export const EXCEPTIONS: Readonly<Record<string, Exception>> = {
  CKV_AWS_260: {
    on: /^resource\.balancer-in-80-0-0-0-0-0$/,
    why: "A load balancer is for the world: port 80 is what trafficAddresses says, everybody by default.",
  },
  CKV_AWS_189: {
    on: /^resource\.journal$/,
    why: "The journal is encrypted with the account's EBS key, and its records with lb-proxy's own besides; a key of one's own costs a dollar a month and can be made the account's default.",
  },
  CKV_AWS_126: {
    on: /^resource\.(balancer|app\d)$/,
    why: "Detailed monitoring costs 2.10 USD a machine and month; the balancer's and node_exporter's metrics say more.",
  },
  CKV_AWS_394: {
    on: /^data\.here$/,
    why: "A zone that opens later moves nothing: subnets ignore changes of availability_zone.",
  },
  CKV2_AWS_11: {
    on: /^aws_vpc\.main$/,
    why: "Flow logs cost by the GB and need a place and a retention that only the account's owner can choose.",
  },
  CKV_AWS_24: {
    on: /^resource\.apps-in-22-balancer$/,
    why: "Port 22 of the nodes is open to the balancer's group alone (access: ssh); checkov takes a rule without a block for one with all.",
  },
  CKV2_AWS_41: {
    on: /^aws_instance\.(balancer|app\d)$/,
    why: "Without Session Manager (access: ssh) machines need nothing of AWS, so they have no role to do anything with.",
  },
};

export interface Exception {
  /** Resources, as checkov names them. */
  readonly on: RegExp;
  readonly why: string;
}

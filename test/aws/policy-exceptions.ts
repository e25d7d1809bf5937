/** Checks of checkov's that fail on purpose. Whatever else fails is a mistake; whatever no longer does is to go. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  CKV_AWS_260:
    "A load balancer is for the world: port 80 is what trafficAddresses says, everybody by default.",
  CKV_AWS_189:
    "The journal is encrypted with the account's EBS key, and its records with lb-proxy's own besides; a key of one's own costs a dollar a month and can be made the account's default.",
  CKV_AWS_126:
    "Detailed monitoring costs 2.10 USD a machine and month; the balancer's and node_exporter's metrics say more.",
  CKV_AWS_394: "A zone that opens later moves nothing: subnets ignore changes of availability_zone.",
  CKV2_AWS_11:
    "Flow logs cost by the GB and need a place and a retention that only the account's owner can choose.",
  CKV_AWS_24:
    "Port 22 of the nodes is open to the balancer's group alone (access: ssh); checkov takes a rule without a block for one with all.",
  CKV2_AWS_41:
    "Without Session Manager (access: ssh) machines need nothing of AWS, so they have no role to do anything with.",
};

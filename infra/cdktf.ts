/**
 * All that is used of CDKTF and of its bindings to the AWS provider, and the one place that names them. CDKTF was
 * archived by its maker; its live fork `cdktn` is the same to import, so moving there is a change of this file. Deep
 * imports, because the whole of the bindings takes seconds to load.
 */
export { DataAwsAmi } from "@cdktf/provider-aws/lib/data-aws-ami/index.js";
export { DataAwsAvailabilityZones } from "@cdktf/provider-aws/lib/data-aws-availability-zones/index.js";
export { DataAwsRoute53Zone } from "@cdktf/provider-aws/lib/data-aws-route53-zone/index.js";
export { DataAwsSubnet } from "@cdktf/provider-aws/lib/data-aws-subnet/index.js";
export { DefaultSecurityGroup } from "@cdktf/provider-aws/lib/default-security-group/index.js";
export { EbsVolume } from "@cdktf/provider-aws/lib/ebs-volume/index.js";
export { Eip } from "@cdktf/provider-aws/lib/eip/index.js";
export { EipAssociation } from "@cdktf/provider-aws/lib/eip-association/index.js";
export { IamInstanceProfile } from "@cdktf/provider-aws/lib/iam-instance-profile/index.js";
export { IamRole } from "@cdktf/provider-aws/lib/iam-role/index.js";
export { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy/index.js";
export { Instance } from "@cdktf/provider-aws/lib/instance/index.js";
export { InternetGateway } from "@cdktf/provider-aws/lib/internet-gateway/index.js";
export { KeyPair } from "@cdktf/provider-aws/lib/key-pair/index.js";
export { NatGateway } from "@cdktf/provider-aws/lib/nat-gateway/index.js";
export { AwsProvider } from "@cdktf/provider-aws/lib/provider/index.js";
export { Route } from "@cdktf/provider-aws/lib/route/index.js";
export { RouteTable } from "@cdktf/provider-aws/lib/route-table/index.js";
export { RouteTableAssociation } from "@cdktf/provider-aws/lib/route-table-association/index.js";
export { Route53Record } from "@cdktf/provider-aws/lib/route53-record/index.js";
export { SecurityGroup } from "@cdktf/provider-aws/lib/security-group/index.js";
export { Subnet } from "@cdktf/provider-aws/lib/subnet/index.js";
export { VolumeAttachment } from "@cdktf/provider-aws/lib/volume-attachment/index.js";
export { Vpc } from "@cdktf/provider-aws/lib/vpc/index.js";
export { VpcSecurityGroupEgressRule } from "@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js";
export { VpcSecurityGroupIngressRule } from "@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js";
export {
  App,
  Fn,
  LocalBackend,
  S3Backend,
  type TerraformElement,
  type TerraformResource,
  TerraformStack,
} from "cdktf";
export { Construct } from "constructs";

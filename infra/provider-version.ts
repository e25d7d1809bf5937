/** Of the provider that the bindings (@cdktf/provider-aws) were made from: Terraform gets this one and no other. */
export const AWS_PROVIDER_VERSION = "6.25.0";

"""What is in the emulator, as JSON: asked through its API. Arguments: endpoint, region, and `image` to look for Debian's."""

import json
import sys

import boto3

endpoint, region, what = sys.argv[1:4]
known = dict(region_name=region, endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test")
ec2 = boto3.client("ec2", **known)
iam = boto3.client("iam", **known)


def there():
    instances = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    return {
        "instances": sorted(
            next((t["Value"] for t in i.get("Tags", []) if t["Key"] == "Name"), i["InstanceId"])
            for i in instances
            if i["State"]["Name"] not in ("terminated", "shutting-down")
        ),
        "volumes": sorted(v["VolumeId"] for v in ec2.describe_volumes()["Volumes"]),
        "addresses": sorted(a["PublicIp"] for a in ec2.describe_addresses()["Addresses"]),
        "vpcs": sorted(v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]),
        "subnets": sorted(s["SubnetId"] for s in ec2.describe_subnets()["Subnets"]),
        "gateways": sorted(g["InternetGatewayId"] for g in ec2.describe_internet_gateways()["InternetGateways"]),
        "nat": sorted(
            n["NatGatewayId"] for n in ec2.describe_nat_gateways()["NatGateways"] if n["State"] != "deleted"
        ),
        "groups": sorted(g["GroupId"] for g in ec2.describe_security_groups()["SecurityGroups"]),
        "keys": sorted(k["KeyName"] for k in ec2.describe_key_pairs()["KeyPairs"]),
        "roles": sorted(r["RoleName"] for r in iam.list_roles()["Roles"]),
        "profiles": sorted(p["InstanceProfileName"] for p in iam.list_instance_profiles()["InstanceProfiles"]),
    }


def images():
    filters = json.loads(sys.argv[4])
    found = ec2.describe_images(
        Owners=filters["owners"],
        Filters=[{"Name": f["name"], "Values": f["values"]} for f in filters["filter"]],
    )
    return [image["Name"] for image in found["Images"]]


def run():
    ec2.run_instances(ImageId=sys.argv[4], MinCount=1, MaxCount=1, InstanceType="t3.small")
    return there()


print(json.dumps({"there": there, "images": images, "run": run}[what]()))

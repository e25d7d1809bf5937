/** One instance, as all are: IMDSv2 only, an encrypted disk, no public address of its own. */
import { Construct, Instance, type TerraformResource } from "./cdktf.ts";
import type { Images } from "./image.ts";
import { named, visibleName } from "./named.ts";
import { architectureOf, type StackSettings } from "./settings.ts";
import { userData } from "./user-data.ts";

export interface MachineProps {
  readonly settings: StackSettings;
  readonly type: string;
  readonly images: Images;
  readonly subnetId: string;
  readonly groupId: string;
  readonly keyName: string;
  readonly instanceProfile: string | null;
  readonly journalVolume: string | null;
  /** GiB */
  readonly disk: number;
  readonly after: readonly TerraformResource[];
}

export class Machine extends Construct {
  readonly instance: Instance;

  constructor(scope: Construct, name: string, props: MachineProps) {
    super(scope, name);
    const { settings, type, images } = props;
    const architecture = architectureOf(type);
    const tags = { ...settings.tags, Cluster: settings.cluster, Name: visibleName(settings.cluster, name) };
    this.instance = named(
      name,
      new Instance(this, "instance", {
        ami: images.idFor(architecture),
        instanceType: type,
        subnetId: props.subnetId,
        vpcSecurityGroupIds: [props.groupId],
        associatePublicIpAddress: false,
        keyName: props.keyName,
        ...(props.instanceProfile === null ? {} : { iamInstanceProfile: props.instanceProfile }),
        ebsOptimized: true,
        metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
        // Whatever version of the provider: not every one gives default tags to a volume that is part of an instance.
        rootBlockDevice: {
          encrypted: true,
          volumeType: "gp3",
          volumeSize: props.disk,
          deleteOnTermination: true,
          tags,
        },
        userData: userData({
          architecture,
          region: settings.region,
          agent: settings.access === "ssm",
          journalVolume: props.journalVolume,
        }),
        tags,
        dependsOn: [...props.after],
        // Script and key are read at the first start only; a newer Debian is for machines to come. Associating an address
        // changes what AWS says of associatePublicIpAddress.
        lifecycle: {
          ignoreChanges: [
            "user_data",
            "key_name",
            "associate_public_ip_address",
            ...(images.pinned ? [] : ["ami"]),
          ],
        },
      }),
    );
  }
}

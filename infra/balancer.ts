/** The balancer's machine, its fixed address, and the journal on a volume that outlives the machine. */
import { Construct, EbsVolume, Eip, EipAssociation, VolumeAttachment } from "./cdktf.ts";
import { Machine, type MachineProps } from "./machine.ts";
import { named, visibleName } from "./named.ts";

export interface BalancerProps extends Omit<MachineProps, "journalVolume"> {
  /** The journal's volume must be where the machine is. */
  readonly zone: string;
}

export class Balancer extends Construct {
  readonly instanceId: string;
  readonly privateIp: string;
  /** The elastic address: the instance's own public_ip is another one until that is associated. */
  readonly address: string;

  constructor(scope: Construct, id: string, props: BalancerProps) {
    super(scope, id);
    const { cluster, journal } = props.settings;
    const tags = (name: string) => ({ Name: visibleName(cluster, name) });
    const volume = named(
      "journal",
      new EbsVolume(this, "journal", {
        availabilityZone: props.zone,
        size: journal.size,
        type: "gp3",
        encrypted: true,
        finalSnapshot: false,
        tags: tags("journal"),
        lifecycle: { preventDestroy: journal.protect },
      }),
    );
    const { instance } = new Machine(this, "balancer", { ...props, journalVolume: volume.id });
    named(
      "journal",
      new VolumeAttachment(this, "attachment", {
        deviceName: "/dev/sdf",
        volumeId: volume.id,
        instanceId: instance.id,
        // So that a replaced machine has written all before it lets go.
        stopInstanceBeforeDetaching: true,
      }),
    );
    const address = named("balancer", new Eip(this, "address", { domain: "vpc", tags: tags("balancer") }));
    named(
      "balancer",
      new EipAssociation(this, "association", { allocationId: address.id, instanceId: instance.id }),
    );
    this.instanceId = instance.id;
    this.privateIp = instance.privateIp;
    this.address = address.publicIp;
  }
}

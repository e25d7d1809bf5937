import assert from "node:assert/strict";
import { test } from "node:test";
import { everyCluster, lifecycle, ref, resourcesOf, stackOf } from "./stack.ts";

everyCluster(({ stack }) => {
  test("the journal has an encrypted, solid-state volume of its own, in the balancer's zone", () => {
    const volumes = resourcesOf(stack, "aws_ebs_volume");
    assert.deepEqual(Object.keys(volumes), ["journal"]);
    const { tags: _, lifecycle: __, ...journal } = volumes.journal ?? {};
    assert.deepEqual(journal, {
      availability_zone: ref("aws_subnet.public.availability_zone"),
      encrypted: true,
      final_snapshot: false,
      size: 20,
      type: "gp3",
    });
  });

  test("the volume is attached to the balancer, which stops before it lets go of it", () => {
    assert.deepEqual(resourcesOf(stack, "aws_volume_attachment"), {
      journal: {
        device_name: "/dev/sdf",
        volume_id: ref("aws_ebs_volume.journal.id"),
        instance_id: ref("aws_instance.balancer.id"),
        stop_instance_before_detaching: true,
      },
    });
  });

  test("the elastic address is the balancer's", () => {
    assert.equal(resourcesOf(stack, "aws_eip").balancer?.domain, "vpc");
    assert.deepEqual(resourcesOf(stack, "aws_eip_association"), {
      balancer: {
        allocation_id: ref("aws_eip.balancer.id"),
        instance_id: ref("aws_instance.balancer.id"),
      },
    });
  });

  test("the balancer mounts that very volume at its first start; nodes mount none", () => {
    const { balancer, ...nodes } = resourcesOf(stack, "aws_instance");
    const script = String(balancer?.user_data);
    assert.ok(script.includes(`$(echo '${ref("aws_ebs_volume.journal.id")}' | tr -d -)`), script);
    for (const { user_data } of Object.values(nodes))
      assert.doesNotMatch(String(user_data), /fstab|mount |mkfs/);
  });
});

test("a journal's volume is of the size that is said", () => {
  const journal = { size: 50, protect: false };
  assert.equal(resourcesOf(stackOf({ journal }), "aws_ebs_volume").journal?.size, 50);
});

for (const protect of [true, false]) {
  test(`a journal that is ${protect ? "" : "not "}protected can${protect ? "not" : ""} be destroyed`, () => {
    const { journal } = resourcesOf(stackOf({ journal: { size: 20, protect } }), "aws_ebs_volume");
    assert.equal(lifecycle(journal).prevent_destroy, protect);
  });
}

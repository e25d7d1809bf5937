import assert from "node:assert/strict";
import { test } from "node:test";
import { refuseLosingData, refuseLosingWayIn } from "../../../cli/aws/plan-refusals.ts";
import { UserError } from "../../../cli/errors.ts";
import { userData } from "../../../infra/user-data.ts";
import { resource } from "./plan.ts";

test("a plan that leaves no node with its data is refused", () => {
  const before = { instance_type: "t3.small" };
  const plan = {
    resource_changes: [
      resource("aws_instance.balancer", ["no-op"], { before }),
      resource("aws_instance.app1", ["delete", "create"], { before, replace_paths: [["subnet_id"]] }),
      resource("aws_instance.app2", ["delete"], { before }),
      resource("aws_instance.app3", ["create"]),
    ],
  };
  assert.throws(
    () => refuseLosingData(plan),
    (error) => {
      assert.ok(error instanceof UserError);
      assert.equal(error.code, "aws_would_lose_all_nodes");
      assert.deepEqual(error.problems, [
        "replace aws_instance.app1: another subnet_id",
        "remove aws_instance.app2: t3.small",
      ]);
      return true;
    },
  );
});

test("a machine that was made and never joined is no node that stays", () => {
  const machine = (name: string, actions: string[], id: string) =>
    resource(`aws_instance.${name}`, actions, { before: { id, instance_type: "t3.small" } });
  const replaced = ["delete", "create"];
  const plan = {
    resource_changes: [
      machine("app1", ["no-op"], "i-new"),
      machine("app2", replaced, "i-2"),
      machine("app3", replaced, "i-3"),
    ],
  };
  assert.throws(() => refuseLosingData(plan, new Set(["i-old", "i-2", "i-3"])), {
    code: "aws_would_lose_all_nodes",
    problems: ["replace aws_instance.app2: ", "replace aws_instance.app3: "],
  });
  refuseLosingData(plan, new Set(["i-new", "i-2", "i-3"]));
  const tainted = { ...machine("app1", replaced, "i-1"), action_reason: "replace_because_tainted" };
  refuseLosingData({ resource_changes: [tainted] });
  assert.throws(() => refuseLosingData({ resource_changes: [tainted] }, new Set(["i-1"])), {
    code: "aws_would_lose_all_nodes",
  });
  refuseLosingData(plan, new Set(["i-of-before"]));
});

test("whoever asks: a machine that an apply made to its end holds data, even when it is tainted later", () => {
  const tainted = {
    ...resource("aws_instance.app1", ["delete", "create"], { before: { id: "i-1" } }),
    action_reason: "replace_because_tainted",
  };
  const plan = (nodes: Record<string, { instance_id: string }> | null) => ({
    resource_changes: [tainted],
    output_changes: { nodes: { before: nodes } },
  });
  assert.throws(() => refuseLosingData(plan({ app1: { instance_id: "i-1" } })), {
    code: "aws_would_lose_all_nodes",
  });
  refuseLosingData(plan({ app1: { instance_id: "i-0" } }));
  refuseLosingData(plan(null));
});

test("machines that were made for SSH are not left without a way in", () => {
  const before = { instance_type: "t3.small" };
  const profile = resource("aws_iam_instance_profile.machine", ["create"]);
  const stays = resource("aws_instance.app1", ["no-op"], { before });
  assert.throws(() => refuseLosingWayIn({ resource_changes: [profile, stays] }), {
    code: "aws_would_lose_way_in",
    problems: ["aws_instance.app1 has no agent of Session Manager"],
  });
  refuseLosingWayIn({ resource_changes: [profile, resource("aws_instance.app1", ["create"])] });
  refuseLosingWayIn({ resource_changes: [profile, resource("aws_instance.app1", ["delete"], { before })] });
  refuseLosingWayIn({ resource_changes: [stays] });
});

test("machines that have the agent may be reached by Session Manager again", () => {
  const profile = resource("aws_iam_instance_profile.machine", ["create"]);
  const stays = (before: Record<string, unknown>) => ({
    resource_changes: [profile, resource("aws_instance.app1", ["no-op"], { before })],
  });
  const firstStart = (agent: boolean) =>
    userData({ architecture: "x86_64", region: "eu-central-1", agent, journalVolume: null });
  // Somebody removed the profile by hand.
  refuseLosingWayIn(stays({ iam_instance_profile: "lbctl-shop-1" }));
  // access: ssm, then ssh, then ssm again. The provider keeps the script as it is since 6.0, a digest before.
  refuseLosingWayIn(stays({ iam_instance_profile: "", user_data: firstStart(true) }));
  for (const user_data of [firstStart(false), "8e0b3c1f0d0f7a3a9d6f4f2b6a1c9e7d5b3a1f00", null, undefined])
    assert.throws(() => refuseLosingWayIn(stays({ user_data })), { code: "aws_would_lose_way_in" });
});

const STAYS = resource("aws_instance.app1", ["no-op"], { before: { instance_type: "t3.small" } });
const journalOf = (size: number) => ({ size, availability_zone: "eu-central-1a" });

for (const actions of [["delete", "create"], ["create", "delete"], ["delete"]]) {
  test(`a plan that loses the journal (${actions.join(", ")}) while nodes stay is refused`, () => {
    const journal = resource("aws_ebs_volume.journal", actions, {
      before: journalOf(20),
      replace_paths: [["availability_zone"]],
    });
    assert.throws(
      () => refuseLosingData({ resource_changes: [STAYS, journal] }),
      (error) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.code, "aws_would_lose_journal");
        assert.deepEqual(error.problems, [
          actions.length === 2
            ? "replace aws_ebs_volume.journal: another availability_zone"
            : "remove aws_ebs_volume.journal: 20 GiB",
        ]);
        assert.match(error.next.join("\n"), /take back the change/);
        return true;
      },
    );
  });
}

test("a journal may go where no node has been made yet", () => {
  const journal = resource("aws_ebs_volume.journal", ["delete", "create"], { before: journalOf(20) });
  const node = resource("aws_instance.app1", ["create"]);
  assert.doesNotThrow(() => refuseLosingData({ resource_changes: [node, journal] }));
});

test("a smaller journal is refused, before AWS would: a volume only grows", () => {
  const journal = resource("aws_ebs_volume.journal", ["update"], {
    before: journalOf(20),
    after: journalOf(10),
  });
  for (const nodes of [[STAYS], []]) {
    assert.throws(() => refuseLosingData({ resource_changes: [...nodes, journal] }), {
      code: "aws_journal_would_shrink",
      message: "expected a journal of at least the 20 GiB that it has, got aws/journal/size: 10",
    });
  }
});

test("a journal that grows, or whose tags change, is fine", () => {
  for (const after of [journalOf(40), { ...journalOf(20), tags: {} }]) {
    const journal = resource("aws_ebs_volume.journal", ["update"], { before: journalOf(20), after });
    assert.doesNotThrow(() => refuseLosingData({ resource_changes: [STAYS, journal] }));
  }
});

test("a plan that makes nodes, and one that leaves some with their data, are fine", () => {
  const lost = resource("aws_instance.app2", ["delete"], { before: { instance_type: "t3.small" } });
  for (const changes of [[resource("aws_instance.app1", ["create"])], [STAYS, lost]]) {
    assert.doesNotThrow(() => refuseLosingData({ resource_changes: changes }));
  }
});

import { Args, Flags } from "@oclif/core";
import type { NodeStatus } from "../../proxy/api.ts";
import { BaseCommand, configFlag, jsonFlag } from "../command.ts";

const nodeArg = { node: Args.string({ name: "NODE", required: true, description: "app1, app2 …" }) };
const commonFlags = { config: configFlag, json: jsonFlag };

abstract class NodeCommand extends BaseCommand {
  async showNode(node: NodeStatus, json: boolean): Promise<void> {
    const { nodeTable } = await import("../tools/render.ts");
    this.show(node, json, (found) => nodeTable([found]));
  }
}

export class NodesList extends BaseCommand {
  static override summary = "List the nodes with their states.";
  static override examples = ["<%= config.bin %> nodes list"];
  static override flags = commonFlags;

  async run(): Promise<void> {
    const { flags } = await this.parse(NodesList);
    const { listNodes } = await import("../operations/status.ts");
    const { nodeTable } = await import("../tools/render.ts");
    this.show(await listNodes(flags.config, this.signal), flags.json, (nodes) => nodeTable(nodes));
  }
}

export class NodesDrain extends NodeCommand {
  static override summary = "Take a node out of the reads; it goes on getting writes.";
  static override examples = ["<%= config.bin %> nodes drain app2"];
  static override args = nodeArg;
  static override flags = {
    force: Flags.boolean({ summary: "Also the last one in-sync: reads then fail." }),
    ...commonFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesDrain);
    const { drain } = await import("../operations/nodes.ts");
    const node = await drain({ config: flags.config, node: args.node, signal: this.signal }, flags.force);
    await this.showNode(node, flags.json);
  }
}

export class NodesReady extends NodeCommand {
  static override summary = "Bring a drained, maintained or quarantined node back; it catches up first.";
  static override examples = [
    "<%= config.bin %> nodes ready app2",
    "<%= config.bin %> nodes ready app2 --force",
  ];
  static override args = nodeArg;
  static override flags = {
    force: Flags.boolean({ summary: "Also a quarantined one: you know that its state is right." }),
    ...commonFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesReady);
    const { ready } = await import("../operations/nodes.ts");
    const node = await ready({ config: flags.config, node: args.node, signal: this.signal }, flags.force);
    await this.showNode(node, flags.json);
  }
}

export class NodesResync extends NodeCommand {
  static override summary = "Give a node the state of another one.";
  static override description =
    "By snapshot, where the app offers it. With --manual the donor is held at one write until you have copied its data and say --done.";
  static override examples = [
    "<%= config.bin %> nodes resync app3 --from app1",
    "<%= config.bin %> nodes resync app3 --from app1 --manual",
    "<%= config.bin %> nodes resync app3 --done",
  ];
  static override args = nodeArg;
  static override flags = {
    from: Flags.string({ helpValue: "NODE", summary: "The donor; chosen by the balancer without it." }),
    manual: Flags.boolean({ summary: "You make the copy.", exclusive: ["done"] }),
    done: Flags.boolean({ summary: "Your copy is in place.", exclusive: ["from"] }),
    ...commonFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NodesResync);
    const { resync, resyncDone } = await import("../operations/nodes.ts");
    const request = { config: flags.config, node: args.node, signal: this.signal };
    if (flags.done) return this.showNode(await resyncDone(request), flags.json);
    const { from, manual } = flags;
    this.show(await resync(request, { from, manual }), flags.json, (started) =>
      [`${started.node} from ${started.from ?? "the first donor that can"}`, started.next].join("\n"),
    );
  }
}

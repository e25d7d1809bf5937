/** Every command by its name. Each file is small: what a command does is loaded when it runs. */
import { Bench } from "./bench.ts";
import { Dashboard } from "./dashboard.ts";
import { Deploy } from "./deploy.ts";
import { Destroy } from "./destroy.ts";
import { Doctor } from "./doctor.ts";
import { Init } from "./init.ts";
import { Logs } from "./logs.ts";
import { NodesDrain, NodesList, NodesReady, NodesResync } from "./nodes.ts";
import { Plan } from "./plan.ts";
import { Rollback } from "./rollback.ts";
import { Scale } from "./scale.ts";
import { Status } from "./status.ts";
import { Verify } from "./verify.ts";
import { WritesList, WritesRetry, WritesShow, WritesSkip } from "./writes.ts";

export const COMMANDS = {
  bench: Bench,
  dashboard: Dashboard,
  deploy: Deploy,
  destroy: Destroy,
  doctor: Doctor,
  init: Init,
  logs: Logs,
  "nodes:drain": NodesDrain,
  "nodes:list": NodesList,
  "nodes:ready": NodesReady,
  "nodes:resync": NodesResync,
  plan: Plan,
  rollback: Rollback,
  scale: Scale,
  status: Status,
  verify: Verify,
  "writes:list": WritesList,
  "writes:retry": WritesRetry,
  "writes:show": WritesShow,
  "writes:skip": WritesSkip,
};

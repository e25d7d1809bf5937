import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BOARDS, boardFile } from "../../grafana/files.ts";

/** The committed dashboards, as Grafana reads them. */

export interface Target {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly exemplar: boolean;
  readonly datasource: { readonly type: string; readonly uid: string };
}

export interface BoardPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
  readonly fieldConfig?: {
    readonly defaults: {
      readonly unit?: string;
      readonly thresholds?: {
        readonly steps: readonly { readonly value: number | null; readonly color: string }[];
      };
    };
  };
}

export interface BoardJson {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly schemaVersion: number;
  readonly panels: readonly BoardPanel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly definition?: string;
      readonly datasource?: { readonly uid: string };
    }[];
  };
  readonly annotations: {
    readonly list: readonly {
      readonly name: string;
      readonly expr: string;
      readonly datasource: { readonly uid: string };
    }[];
  };
  readonly links: readonly {
    readonly type: string;
    readonly tags: readonly string[];
    readonly includeVars: boolean;
  }[];
}

export function readBoards(): BoardJson[] {
  const root = join(import.meta.dirname, "../..");
  return BOARDS.map((board) => JSON.parse(readFileSync(join(root, boardFile(board)), "utf8")) as BoardJson);
}

/** Without the heads of rows. */
export function panelsOf({ panels }: BoardJson): BoardPanel[] {
  return panels.filter(({ type }) => type !== "row");
}

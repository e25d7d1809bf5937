/** The keys of the config file, by walking its zod schema: on its own, so that nothing is tested with itself. */

import { configSections } from "../../proxy/config/config-schema.ts";

interface Kind {
  readonly _zod: { readonly def: Readonly<Record<string, unknown>> };
}

/** The leaves, as docs/configuration.md names them: `nodes`, `nodes[].empty`, `writes.backoff.min`. */
export function configKeys(): string[] {
  return keysOf(configSections("/"), "");
}

function keysOf(shape: Readonly<Record<string, unknown>>, prefix: string): string[] {
  return Object.entries(shape).flatMap(([key, kind]) => leaves(kind as Kind, `${prefix}${key}`));
}

function leaves(kind: Kind, path: string): string[] {
  const { def } = kind._zod;
  if (def.type === "object") return keysOf(def.shape as Record<string, unknown>, `${path}.`);
  if (def.type === "array") {
    const item = leaves(def.element as Kind, `${path}[]`);
    return item.length === 1 && item[0] === `${path}[]` ? [path] : [path, ...item];
  }
  if (def.type === "union") {
    const forms = (def.options as Kind[]).flatMap((option) => leaves(option, path));
    return [...new Set(forms)];
  }
  if (def.type === "pipe")
    return leaves((innerType(def.in as Kind) === "transform" ? def.out : def.in) as Kind, path);
  return def.innerType === undefined ? [path] : leaves(def.innerType as Kind, path);
}

function innerType(kind: Kind): unknown {
  return kind._zod.def.type;
}

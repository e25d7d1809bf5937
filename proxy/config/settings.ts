/**
 * Every setting of the config file by its key, as the schema has it, and what of two configs differs: what SIGHUP
 * applies (`live`), and what only a new start can change.
 */

import { type Config, configJsonSchema } from "./config.ts";

/** A setting in JSON Schema, with the marks of config-schema.ts. */
export interface SettingSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly unit?: string;
  readonly range?: string;
  readonly live?: boolean;
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly required?: readonly string[];
  readonly items?: SettingSchema;
  readonly anyOf?: readonly SettingSchema[];
  readonly oneOf?: readonly SettingSchema[];
}

export interface Setting {
  /** `nodes[].empty` */
  readonly key: string;
  readonly schema: SettingSchema;
  /** The forms that it may take, but for null. */
  readonly forms: readonly SettingSchema[];
  readonly required: boolean;
  /** It is made of other settings: they are listed behind it. */
  readonly group: boolean;
  /** SIGHUP applies a change of it. */
  readonly live: boolean;
}

/** All settings, in the order of the schema; a key that both kinds of routes have comes once, with both forms. */
export function configSettings(): Setting[] {
  const byKey = new Map<string, Setting>();
  for (const setting of settingsOf("", configJsonSchema(), false)) {
    const same = byKey.get(setting.key);
    byKey.set(setting.key, same ? { ...same, forms: [...same.forms, ...setting.forms] } : setting);
  }
  return [...byKey.values()];
}

/** The settings whose values differ. Of a group that is: it came or went, or is longer or shorter. */
export function changedSettings(now: Config, next: Config): Setting[] {
  return configSettings().filter((setting) => valueIn(setting, now) !== valueIn(setting, next));
}

/** What SIGHUP can't apply, as problems with their paths; empty: it can apply everything. */
export function restartProblems(changed: readonly Setting[]): string[] {
  const fixed = changed.filter(({ live }) => !live);
  return fixed.map(
    ({ key }) =>
      `${key.replaceAll(".", "/")}: expected no change while running, got another value; restart to apply it`,
  );
}

function settingsOf(key: string, schema: SettingSchema, required: boolean): Setting[] {
  const forms = (schema.anyOf ?? schema.oneOf ?? [schema]).filter((form) => form.type !== "null");
  const inner = forms.flatMap((form) => innerSettings(key, form));
  const isSection = forms.every((form) => form.properties) && !schema.description;
  if (key === "" || isSection) return inner;
  const group = inner.length > 0;
  // A setting that nobody thought about: better refused than ignored.
  const { live = false } = schema;
  return [{ key, schema, forms, required, group, live }, ...inner];
}

function innerSettings(key: string, { properties, items, required = [] }: SettingSchema): Setting[] {
  if (items?.properties || items?.oneOf) return settingsOf(`${key}[]`, items, false);
  return Object.entries(properties ?? {}).flatMap(([name, schema]) =>
    settingsOf(key === "" ? name : `${key}.${name}`, schema, required.includes(name)),
  );
}

function valueIn({ key, group }: Setting, config: Config): string | undefined {
  const value = valueAt(config, key.split("."));
  if (!group) return JSON.stringify(value);
  return String(Array.isArray(value) ? value.length : value !== null);
}

/** For a key with `[]` the values in all items. */
function valueAt(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined || typeof value !== "object" || value === null) return value;
  const inner: unknown = Reflect.get(value, name.replace("[]", ""));
  return Array.isArray(inner) && name.endsWith("[]")
    ? inner.map((item) => valueAt(item, rest))
    : valueAt(inner, rest);
}

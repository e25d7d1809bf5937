/** Plain tables: columns as wide as their widest cell, numbers to the right. */
import { stripVTControlCharacters, styleText } from "node:util";

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** @param rows cells may be coloured; one array for each row */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => styleText("bold", title));
  const widths = columns.map((_, index) =>
    Math.max(...[titles, ...rows].map((row) => width(row[index] ?? ""))),
  );
  const line = (row: readonly string[]) =>
    columns
      .map(({ right }, index) => pad(row[index] ?? "", widths[index] ?? 0, right ?? false))
      .join("  ")
      .trimEnd();
  return [titles, ...rows].map(line).join("\n");
}

function pad(cell: string, to: number, right: boolean): string {
  const space = " ".repeat(Math.max(0, to - width(cell)));
  return right ? space + cell : cell + space;
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

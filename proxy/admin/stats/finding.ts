import type { Tone } from "../../api.ts";
import type { Html } from "../html.ts";

/** Something that an operator may have to look at, and what to do about it. */
export interface Finding {
  readonly tone: Exclude<Tone, "good">;
  readonly what: Html;
  readonly todo: Html;
}

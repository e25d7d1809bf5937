import { shellWord } from "../tools/format.ts";

/** ` --profile NAME` for a command of the AWS CLI that a user, or a shell, is to run; nothing where none is chosen. */
export function profileFlag(profile: string | null): string {
  return profile === null ? "" : ` --profile ${shellWord(profile)}`;
}
